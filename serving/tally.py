"""Counts and measurements of one thread, added to Prometheus metrics in one go.

Adding each alone would take a lock, and with several workers a write to a shared file, several times a
decision.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Counts
from collections import defaultdict
from collections.abc import Sequence

from prometheus_client import Counter, Histogram


class Tally:
    """Not for two threads: each has its own."""

    def __init__(self) -> None:
        self._counted: Counts[Counter] = Counts()
        self._observed: defaultdict[Distribution, list[float]] = defaultdict(list)

    def count(self, counter: Counter, amount: int = 1) -> None:
        self._counted[counter] += amount

    def observe(self, distribution: Distribution, value: float) -> None:
        self._observed[distribution].append(value)

    def observe_all(self, distribution: Distribution, values: Sequence[float]) -> None:
        self._observed[distribution].extend(values)

    def flush(self) -> None:
        """Add all of it to the metrics."""
        for counter, amount in self._counted.items():
            counter.inc(amount)
        for distribution, values in self._observed.items():
            distribution.observe_all(values)
        self.drop()

    def drop(self) -> None:
        """Forget it: it was about something that didn't come to pass."""
        self._counted.clear()
        self._observed.clear()


class Distribution(Histogram):
    """A histogram that takes many values at the price of one. Uses what `Histogram.observe` uses."""

    def observe_all(self, values: Sequence[float]) -> None:
        counts: Counts[int] = Counts(bisect_left(self._upper_bounds, value) for value in values)
        self._sum.inc(sum(values))
        for bucket, count in counts.items():
            self._buckets[bucket].inc(count)
