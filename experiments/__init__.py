"""How it is run, measured and told: data sets, systems, training, metrics, records, reports."""
