"""Off-policy evaluation: what a policy would have earned, from the log of another one."""

from experiments.ope.batch import LoggedBatch
from experiments.ope.fitted import cross_fitted
from experiments.ope.inference import Estimate, difference, estimate
from experiments.ope.overlap import Diagnostics, diagnostics
from experiments.ope.registry import ESTIMATORS
from experiments.ope.report import Trust, trust
from experiments.ope.slates import slots
from experiments.ope.terms import Terms
from experiments.ope.tuning import Tuned, least_error, slope

__all__ = [
    "ESTIMATORS",
    "Diagnostics",
    "Estimate",
    "LoggedBatch",
    "Terms",
    "Trust",
    "Tuned",
    "cross_fitted",
    "diagnostics",
    "difference",
    "estimate",
    "least_error",
    "slope",
    "slots",
    "trust",
]
