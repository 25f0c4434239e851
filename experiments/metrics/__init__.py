"""Metrics of predictions: plain functions of arrays, with intervals by patient.

Labels are 1, 0 or NaN (not stated); probabilities are in [0, 1] or NaN (not possible). A pair of
study and finding with either of them NaN is left out, finding by finding. The unit of every
interval is the patient group: scores of several images of a study are averaged beforehand, and
several studies of a patient share one group key.
"""
