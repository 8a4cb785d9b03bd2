"""Off-policy evaluation: what a policy would have earned, from the log of another one."""

from experiments.ope.batch import LoggedBatch
from experiments.ope.inference import Estimate, difference, estimate
from experiments.ope.overlap import Diagnostics, diagnostics
from experiments.ope.registry import ESTIMATORS
from experiments.ope.terms import Terms

__all__ = [
    "ESTIMATORS",
    "Diagnostics",
    "Estimate",
    "LoggedBatch",
    "Terms",
    "diagnostics",
    "difference",
    "estimate",
]
