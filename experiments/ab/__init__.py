"""Controlled experiments: compare arms from their sums, whether looked at once, often or as planned."""

from experiments.ab.anytime import always_valid
from experiments.ab.balance import Balance, balance
from experiments.ab.effect import Arm, Difference
from experiments.ab.entry import Entries, evenly
from experiments.ab.fixed import difference, ratio_difference
from experiments.ab.looks import Look, at_information, at_look
from experiments.ab.many import adjusted, intervals_for, level_for
from experiments.ab.moments import Moments
from experiments.ab.planning import duration, power_of, sample_size
from experiments.ab.posterior import Posterior, posterior
from experiments.ab.ratio import Ratio
from experiments.ab.sample_ratio import sequential_srm, srm
from experiments.ab.segments import Heterogeneity, SegmentRow, by_segment
from experiments.ab.spending import bounds_at, group_sequential

__all__ = [
    "Arm",
    "Balance",
    "Difference",
    "Entries",
    "Heterogeneity",
    "Look",
    "Moments",
    "Posterior",
    "Ratio",
    "SegmentRow",
    "adjusted",
    "always_valid",
    "at_information",
    "at_look",
    "balance",
    "bounds_at",
    "by_segment",
    "difference",
    "duration",
    "evenly",
    "group_sequential",
    "intervals_for",
    "level_for",
    "posterior",
    "power_of",
    "ratio_difference",
    "sample_size",
    "sequential_srm",
    "srm",
]
