"""Queries of a graph: SPARQL queries, paths, trees, differences, explanations, counts."""
