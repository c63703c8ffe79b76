"""The network side of a stream and nothing else: what arrives goes to the journal, whatever happens elsewhere."""
