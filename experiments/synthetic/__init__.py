"""Sampling, drawing, writing and labelling of the made-up studies of the synthetic data set."""
