"""Plans: many configurations over folds and seeds as one plan that runs only what is missing.

schema      the plan file
jobs        the runs of a plan, those they start from included, and their state
cost        what the missing runs will cost, by finished runs
execute     running of missing and resuming of interrupted runs, several at a time
tuning      settings drawn from one space, chosen on validation
plan        the runs of a plan file
clock       training times as multiples of one system's
result      its systems beside a reference
survey      which file implements which row of the survey
"""
