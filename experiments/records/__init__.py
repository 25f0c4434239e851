"""Files of a run: its folder, record, predictions, metrics and checkpoints."""
