"""Evaluate policies off-policy and in controlled experiments, and track what was found."""
