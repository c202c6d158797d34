"""Figures of a run: each function takes data and returns a matplotlib figure, None where there is nothing to draw."""
