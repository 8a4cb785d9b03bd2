"""Where an experiment stands by its times: not started, washout, running, ended."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Literal

from nba.errors import InvalidInput
from nba.playbook.experiment import Experiment

State = Literal["not started", "washout", "running", "ended"]


def state_of(experiment: Experiment, at: float) -> State:
    if experiment.starts is not None and at < experiment.starts.timestamp():
        return "not started"
    if at < experiment.exposes_from:
        return "washout"
    return "running" if at < experiment.exposes_until else "ended"


def named(experiments: Sequence[Experiment], names: Sequence[str]) -> list[Experiment]:
    """The experiments of these names.

    Raises:
        InvalidInput: for each name that the playbook doesn't have, with the nearest that it has.
    """
    known = {experiment.name: experiment for experiment in experiments}
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else "."
            there = ", ".join(known) or "none at all; its section `experiments` is where they go"
            raise InvalidInput.of("name", f"the playbook has no experiment {name!r}{meant} It has: {there}")
    return [known[name] for name in dict.fromkeys(names)]
