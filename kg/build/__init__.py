"""Building a graph: a recipe's sources are read, aligned, merged and curated."""
