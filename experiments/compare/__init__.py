"""From finished runs to a statement: scores joined study by study, paired statistics, verdicts."""
