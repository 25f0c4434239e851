"""What is measured of a run: scope, scores and metrics of each task."""
