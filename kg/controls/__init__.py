"""Controls of a graph: shuffled, noisy, emptied, or without some of its sources."""
