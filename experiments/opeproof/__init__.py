"""The estimators held against truths: labelled sets as bandits, and Open Bandit's two policies."""
