"""Evaluation of a finished run on other data, another label set, or without a modality."""
