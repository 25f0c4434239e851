"""Comparison of finished runs: predictions joined by study, paired statistics, verdicts."""
