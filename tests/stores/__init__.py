"""The store suites. A further store is one line in each of the tables of `contract.py` that it fits."""
