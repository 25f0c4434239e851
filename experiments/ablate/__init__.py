"""Ablation: one base configuration, named arms, every seed and fold; only what is missing is run.

schema      what an ablation is, and its file
plan        arms x settings x folds x seeds > jobs, and how each stands
channels    which channels of the graph an arm leaves open
execute     run what is missing, resume what broke
result      the comparison of the arms, kept as `ablation.json`
"""
