"""How fast the answer comes, and how good other optimizers' answers are on the same budgets: ``python -m benchmarks``."""
