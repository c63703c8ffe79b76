"""Columns of text: ASCII, XYE, GSAS."""
