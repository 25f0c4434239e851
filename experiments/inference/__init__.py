"""Inference with a finished run: scores, answers for any findings, predictions for files."""
