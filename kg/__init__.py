"""The clinical knowledge graph: its sources, its building and checks, and mentions in text."""
