"""Explanations of answers and tests of them: deletion of inputs, examples with their evidence."""
