"""Pages that tell what was found: self-contained HTML made from a run's folder alone."""
