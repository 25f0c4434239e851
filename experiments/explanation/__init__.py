"""Explanations of predictions and their tests: deletion of inputs, examples with evidence."""
