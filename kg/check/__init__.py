"""Checks of a graph: integrity rules, shapes, label tables, and reports of faults."""
