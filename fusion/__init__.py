"""Fusion: image, text and evidence features joined with the embedded graph into predictions."""
