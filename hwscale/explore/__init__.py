"""Beyond one answer: exact fronts, what a little more of a limit buys, and families on platforms side by side."""
