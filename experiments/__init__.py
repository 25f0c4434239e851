"""Experiments: data sets, systems, training, metrics, records, reports and interfaces."""
