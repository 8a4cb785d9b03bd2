"""What the tests of experiments/ab promise, held against simulations and public experiments.

`nba benchmark sequential` prints the tables. Nothing here is used by an analysis.
"""
