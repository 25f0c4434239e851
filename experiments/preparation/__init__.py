"""Preparation of data sets: downloads, image scan, splits and prepared copies."""
