"""Plans: many configurations over folds and seeds as one plan that runs only what is missing.

schema         the plan file
plan           its runs
jobs           a run of a plan, what it starts from, and its state
cost           what the missing runs will cost, by finished runs
execute        running of missing and resuming of interrupted runs, several at a time
tuning         settings drawn from one space, chosen on validation
sweep          settings suggested by optuna, the worse ones stopped early
ray_cluster    processes of runs on the machines of a ray cluster
result         the systems of a plan beside a reference
training_time  their training time as a multiple of one system's
survey         which file implements which row of the survey
"""
