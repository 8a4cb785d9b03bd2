"""Whether what is decided on still looks as it did: the population stability index, and what is missing.

    PSI = Σ_b (p_b − q_b) ln(p_b / q_b)

over bins b of the reference (its deciles; categories; missing is a bin), p the window's shares and q the
reference's. Without any change PSI is about χ²(B − 1)·(1/n + 1/m) for n and m independent rows (Yurdakul
2018, "Statistical Properties of Population Stability Index", §4): out of bounds is what is above the
playbook's threshold *and* beyond the 1 − 10⁻⁴ quantile of that. Customers are the rows: each counts once a
period.

Looked at are context, attributes, scores and the stage, and of the state what forgets within about a week.
The rest of the state drifts by construction: totals and tenure grow, slow counters fill up after a start, and
counts of contacts, of what they bring, and days since, are our own doing. The quick counters move with the
policy too, so they are held to `STATE_BAR` times the threshold. Hour and weekday are the caller's timetable,
which summer time moves for everybody on one day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import chi2

from nba.playbook.compile import Playbook
from nba.playbook.declaration import CONTACT, Feature, identifier
from training.health.report import Check
from training.health.shift import SURE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
STATE_BAR = 4.0
_QUICK = re.compile(r"_(count|value)_hl7$")


def looked_at(playbook: Playbook) -> Iterator[tuple[int, Feature, float]]:
    """(column, feature, how many times the threshold it may reach) of every feature that is looked at."""
    ours = (f"{CONTACT}_", *(f"via_{identifier(c)}_" for c in playbook.schema.channels))
    for column, feature in enumerate(playbook.schema.features):
        if feature.group == "state":
            if _QUICK.search(feature.name) and not feature.name.startswith(ours):
                yield column, feature, STATE_BAR
        elif feature.group != "moment":
            yield column, feature, 1.0


def stability(
    features: Floats, customer: Ints, window: Bools, reference: Bools, playbook: Playbook
) -> Iterator[Check]:
    """PSI of each feature that is looked at and that the reference knew of a tenth of its customers."""
    threshold = playbook.spec.health.psi
    if threshold is None:
        return
    weight = _each_once(customer, window) + _each_once(customer, reference)
    customers = float(weight[window].sum()), float(weight[reference].sum())
    for column, feature, times in looked_at(playbook):
        bins, count = binned(features[:, column], reference, feature)
        q: Floats = np.bincount(bins[reference], weights=weight[reference], minlength=count).astype(
            np.float64
        )
        if q[-1] > 0.9 * customers[1]:
            continue  # the reference hardly knew it: newly declared, or newly sent
        p: Floats = np.bincount(bins[window], weights=weight[window], minlength=count).astype(np.float64)
        value, chance = index_of(p, q)
        breached = value > times * threshold and value > chance
        detail = (
            f"{feature.name} is spread otherwise than before: its population stability index is {value:.2f}"
            if breached
            else f"{feature.name} is spread as before"
        )
        yield Check(
            name="psi",
            subject=feature.name,
            value=value,
            threshold=times * threshold,
            breached=breached,
            detail=detail,
        )


def missing(
    features: Floats, customer: Ints, window: Bools, reference: Bools, playbook: Playbook
) -> Iterator[Check]:
    """By how much the share of customers rose of whom a context, attribute or score is not known.

    Of the state, what is missing has not happened, which is no fault.
    """
    threshold = playbook.spec.health.missing
    if threshold is None:
        return
    weight = _each_once(customer, window) + _each_once(customer, reference)
    m, n = float(weight[window].sum()), float(weight[reference].sum())
    for column, feature in enumerate(playbook.schema.features):
        if feature.group not in ("context", "attribute", "score"):
            continue
        gone = np.isnan(features[:, column])
        now, before = float(weight[window & gone].sum()) / m, float(weight[reference & gone].sum()) / n
        both = (now * m + before * n + 1) / (m + n + 2)
        chance = -float(ndtri(SURE)) * (both * (1 - both) * (1 / m + 1 / n)) ** 0.5
        rise = now - before
        yield Check(
            name="missing",
            subject=feature.name,
            value=rise,
            threshold=threshold,
            breached=rise > threshold and rise > chance,
            detail=f"{feature.name} is missing for {now:.0%} of the customers, before for {before:.0%}",
        )


def binned(values: Floats, reference: Bools, feature: Feature) -> tuple[Ints, int]:
    """(n,) the bin of each value, and how many bins there are; the last is missing."""
    gone = np.isnan(values)
    if feature.kind == "number":
        known = values[reference & ~gone]
        edges = np.unique(np.quantile(known, np.arange(1, 10) / 10)) if len(known) else np.empty(0)
        bins, count = np.searchsorted(edges, values, side="left"), len(edges) + 1
    else:
        bins = np.where(gone, 0, values).astype(np.int64)
        count = max(len(feature.categories), 2, int(bins.max(initial=0)) + 1)
    return np.where(gone, count, bins).astype(np.int64), count + 1


def index_of(window: Floats, reference: Floats) -> tuple[float, float]:
    """Customers by bin, in the window and in the reference → PSI, and what it hardly exceeds by chance.

    Half a customer is added to each bin that either knows, so that no share is 0.
    """
    known = (window + reference) > 0
    m, n, bins = float(window.sum()), float(reference.sum()), int(known.sum())
    p, q = ((x[known] + 0.5) / (x.sum() + 0.5 * bins) for x in (window, reference))
    value = float(np.sum((p - q) * np.log(p / q)))
    return value, float(chi2.isf(SURE, max(bins - 1, 1))) * (1 / m + 1 / n)


def _each_once(customer: Ints, rows: Bools) -> Floats:
    """(n,) weights by which the rows of each customer add up to 1; 0 outside of `rows`."""
    weight = np.zeros(len(customer))
    _, code, count = np.unique(customer[rows], return_inverse=True, return_counts=True)
    weight[rows] = 1 / count[code]
    return weight
