"""`tuning.json`: the settings that were found, for `nba retrain --settings` and `nba learn --settings`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nba.errors import InvalidInput
from nba.playbook.rules import nearest
from nba.policies.learners import LEARNERS
from nba.policies.lesson import Setting, Settings


def read_settings(path: Path) -> dict[str, Settings]:
    """Learner → settings, of the file's `learners`.

    Raises:
        InvalidInput: the file can't be read, or names a learner or setting that there is not, or gives one a
            value of another kind or out of its range.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
        detail = f"{path} can't be read: {reason}; `nba tune` writes one"
        raise InvalidInput.of("settings", detail) from None
    learners = values.get("learners") if isinstance(values, dict) else None
    if not isinstance(learners, dict):
        detail = "must be learners with their settings, as `nba tune` writes them"
        raise InvalidInput.of("learners", detail, source=str(path))
    return {name: _settings(path, name, given) for name, given in learners.items()}


def _settings(path: Path, learner: str, given: Any) -> Settings:
    field = f"learners.{learner}"
    if learner not in LEARNERS:
        detail = f"there is no such learner{nearest(learner, list(LEARNERS))}"
        raise InvalidInput.of(field, f"{detail}; there are {', '.join(LEARNERS)}", source=str(path))
    if not isinstance(given, dict):
        raise InvalidInput.of(field, "must be settings by name", source=str(path))
    for name, value in given.items():
        detail = _wrong(LEARNERS[learner].defaults, name, value)
        if detail:
            raise InvalidInput.of(f"{field}.{name}", detail, source=str(path))
    return dict(given)


def _wrong(defaults: Mapping[str, Setting], name: str, value: Any) -> str:
    """What is wrong with a setting, empty for nothing."""
    if name not in defaults:
        return f"is no setting of this learner{nearest(name, list(defaults))}"
    default = defaults[name]
    if isinstance(default, str):
        return "" if value in ("none", "clipped") else "is none or clipped"
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return f"must be a number, such as {default}"
    if isinstance(default, int) and value != int(value):
        return f"must be a whole number, such as {default}"
    if value < 0 or (value == 0 and default != 0):
        return "must be above 0" if default != 0 else "must be 0 or more"
    return ""
