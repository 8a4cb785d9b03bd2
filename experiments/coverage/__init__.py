"""Do the intervals of off-policy estimates hold what they promise? Simulated logs whose truth is known.

The whole procedure is under test, as `experiments.ope.estimate` runs it: which interval it takes, and what it
refuses. Its thresholds were set on other logs; nothing here may be used to choose them.
"""
