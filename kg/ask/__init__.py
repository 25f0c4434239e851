"""Questions to a graph: queries, paths, trees, differences, explanations, counts."""
