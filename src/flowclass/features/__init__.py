"""Flow records handed over to learning: matrices of numbers, groups that must not be torn apart, folds of groups."""
