"""Intervals, one a file: pure functions of figures by customer. Which one is used is choice.py's to say.

| interval | holds | asks for |
|---|---|---|
| student | where many customers make up the variance | nothing |
| bootstrap | the same, a little earlier where influence is skewed | time |
| cressie_read | also where few do, seen in simulation, not proved | the range of a reward |
| confidence_sequence | at any size and at every look, proved | the range of a reward |
| empirical_bernstein | at any size, proved | the range of the influence |
| clopper_pearson | roughly: takes the largest weight seen for all | the range of a reward |
"""

from experiments.ope.intervals.bootstrap import bootstrap
from experiments.ope.intervals.clopper_pearson import clopper_pearson
from experiments.ope.intervals.confidence_sequence import confidence_sequence
from experiments.ope.intervals.cressie_read import cressie_read
from experiments.ope.intervals.empirical_bernstein import empirical_bernstein
from experiments.ope.intervals.student import normal, student

__all__ = [
    "bootstrap",
    "clopper_pearson",
    "confidence_sequence",
    "cressie_read",
    "empirical_bernstein",
    "normal",
    "student",
]
