"""Preparation of a data set: files fetched, images looked at once, studies divided and packed."""
