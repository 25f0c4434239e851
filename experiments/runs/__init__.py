"""A run as an object: built from a configuration, recorded, restored and verified."""
