"""Runner of an experiment from configuration to finished record, on one or more processes."""
