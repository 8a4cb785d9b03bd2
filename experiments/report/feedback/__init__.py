"""Figures of what customers say: scores with intervals, what sets the unhappy apart, themes. Pure."""
