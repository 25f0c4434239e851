"""Building a graph: the sources of a recipe are read, aligned, merged and curated."""
