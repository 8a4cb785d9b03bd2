"""Adapters of public data sets: a folder as published → batches. One line each in the table.

Times that a data set does not have are set by convention, written in the adapter's docstring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from nba.errors import InvalidInput
from nba.playbook.rules import nearest
from training.ingest.adapters import hillstrom, online_retail, starbucks_offers, telco_churn
from training.ingest.batch import Batch

Adapter = Callable[[Path], Iterator[Batch]]
ADAPTERS: Mapping[str, Adapter] = {
    "hillstrom": hillstrom.batches,
    "online-retail": online_retail.batches,
    "starbucks-offers": starbucks_offers.batches,
    "telco-churn": telco_churn.batches,
}


def adapter(name: str) -> Adapter:
    """Raises InvalidInput where there is no adapter of this name."""
    if name not in ADAPTERS:
        detail = (
            f"there is no adapter {name!r}{nearest(name, tuple(ADAPTERS))}; there are {', '.join(ADAPTERS)}"
        )
        raise InvalidInput.of("adapter", detail)
    return ADAPTERS[name]
