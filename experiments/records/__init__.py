"""What a run leaves behind: its folder, record, predictions, metrics and checkpoints."""
