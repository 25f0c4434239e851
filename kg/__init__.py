"""What is known: the clinical knowledge graph, where it comes from and what text says of it."""
