"""Preparation of a data set: files fetched, pictures looked at once, studies divided and packed."""
