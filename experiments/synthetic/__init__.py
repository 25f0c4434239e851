"""How the made-up studies of the synthetic data set are sampled, drawn, written and labelled."""
