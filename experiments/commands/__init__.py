"""The sub-commands of `nba` that belong to experiments."""
