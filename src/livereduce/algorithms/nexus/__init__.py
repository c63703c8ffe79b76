"""NeXus files: what others write (events, histograms, processed) and what SaveNexus writes."""
