"""Training: studies become tensors, one Trainer.fit a stage, scores on what was held out."""
