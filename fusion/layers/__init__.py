"""Building blocks shared by two systems or more."""
