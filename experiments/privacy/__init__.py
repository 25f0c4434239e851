"""Privacy: what may be written of patients, their files and their texts."""
