"""The table of estimators: a new one is a file and a line here, or an entry point in another package.

Being in the table means being tested by the contract suite.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points

from experiments.ope.batch import LoggedBatch
from experiments.ope.clipped import clipped_ips, clipped_snips
from experiments.ope.dm import dm
from experiments.ope.dr import dr
from experiments.ope.dr_os import dr_os
from experiments.ope.ips import ips
from experiments.ope.mips import mips
from experiments.ope.pseudo_inverse import pseudo_inverse
from experiments.ope.sndr import sndr
from experiments.ope.snips import snips
from experiments.ope.sub_gaussian import sg_dr, sg_ips
from experiments.ope.switch_dr import switch_dr
from experiments.ope.terms import Terms
from nba.errors import InvalidInput

Estimator = Callable[..., Terms]

ESTIMATORS: dict[str, Estimator] = {
    "ips": ips,
    "snips": snips,
    "dm": dm,
    "dr": dr,
    "sndr": sndr,
    "switch-dr": switch_dr,
    "dr-os": dr_os,
    "mips": mips,
    "clipped-ips": clipped_ips,
    "clipped-snips": clipped_snips,
    "pseudo-inverse": pseudo_inverse,
    "sg-ips": sg_ips,
    "sg-dr": sg_dr,
}

ENTRY_POINTS = "nba.estimators"


def terms_of(name: str, batch: LoggedBatch, hyper: Mapping[str, float]) -> Terms:
    """Run the named estimator, from the table or from the entry points `nba.estimators`.

    Raises:
        InvalidInput: there is no such estimator, or it has no such hyperparameter.
    """
    estimator = ESTIMATORS.get(name) or _plugged_in(name)
    known = list(inspect.signature(estimator).parameters)[1:]
    for given in hyper:
        if given not in known:
            raise InvalidInput.of(given, f"{name} takes {', '.join(known) or 'no hyperparameters'}")
    return estimator(batch, **hyper)


def known_estimators() -> tuple[str, ...]:
    """All names: the table's, then those of other packages."""
    return (*ESTIMATORS, *sorted(entry.name for entry in entry_points(group=ENTRY_POINTS)))


def _plugged_in(name: str) -> Estimator:
    for entry in entry_points(group=ENTRY_POINTS, name=name):
        loaded: Estimator = entry.load()
        return loaded
    raise InvalidInput.of("name", f"no estimator {name!r}; there are {', '.join(ESTIMATORS)}")
