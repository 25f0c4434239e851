"""Training of the stages of a run with Lightning: optimisers, callbacks and checkpoints."""
