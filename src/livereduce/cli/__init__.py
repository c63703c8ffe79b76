"""Command line: one module a command; heavy imports stay inside the commands."""
