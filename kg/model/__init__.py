"""Data model of the graph: concepts, edges with their evidence, label sets, one fingerprint."""
