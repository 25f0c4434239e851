"""The runner: an experiment from configuration to finished record, on one or more processes."""
