"""The graph as a record: concepts, edges with their evidence, label sets, one fingerprint."""
