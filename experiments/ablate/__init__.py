"""Ablation: a base configuration and named arms over seeds and folds; only missing runs are run.

schema      the ablation file
plan        jobs (arms x settings x folds x seeds), run as those of any plan (`experiments/plans`)
channels    channels of the graph that an arm leaves open
result      the comparison of the arms, saved as `ablation.json`
"""
