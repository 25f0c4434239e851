"""Control graphs: shuffled, noisy, emptied, or without some of the sources."""
