"""Labelling of texts outside any data set: files in, statements or label tables out."""
