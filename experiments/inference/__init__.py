"""Inference with a finished run: probabilities, predictions for any findings and for files."""
