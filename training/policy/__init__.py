"""Policies from logged decisions: fit, choose, judge, publish."""
