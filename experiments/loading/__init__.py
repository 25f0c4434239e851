"""Loading of studies for a run: images, text, metadata and targets as cohorts and batches."""
