"""Graphs and tables of facts in files: JSON lines, RDF, tab-separated tables."""
