"""Structure-aware fuzzing of everything a user can hand in: `make fuzz`, or `python -m fuzzing`."""
