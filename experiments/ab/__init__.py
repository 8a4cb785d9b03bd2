"""Controlled experiments: compare arms from their sums, whether looked at once, often or as planned."""

from experiments.ab.anytime import always_valid
from experiments.ab.effect import Difference
from experiments.ab.fixed import difference
from experiments.ab.moments import Moments
from experiments.ab.sample_ratio import srm
from experiments.ab.spending import group_sequential

__all__ = ["Difference", "Moments", "always_valid", "difference", "group_sequential", "srm"]
