"""Splits of a data set by patient or origin, as manifests with a hash."""
