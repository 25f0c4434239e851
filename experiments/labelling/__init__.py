"""Labelling of texts outside data sets: statements and label tables of text files."""
