"""Rewards over a whole log: under a new definition, by contact, and how well delays are modelled."""
