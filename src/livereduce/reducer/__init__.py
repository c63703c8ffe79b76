"""The process that runs users' scripts: the live cycle fed from the journal, its health and its snapshots as files."""
