"""What a retraining leaves in MLflow: a run with its figures and verdict, and a registered version."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.ope import LoggedBatch, diagnostics
from nba.artefacts import Artefact
from nba.playbook.compile import Playbook
from nba.policies.policy import Policy
from nba.record import timestamp
from training.policy.crossing import Chosen
from training.policy.gate import Verdict

if TYPE_CHECKING:
    from experiments.tracking import Tracker

EXPERIMENT = "policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """What serves now, and the moment up to which it was trained; a fallback was never trained."""

    policy: Policy
    name: str
    trained_through: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A candidate and the gate's answer; what is registered.

    Attributes:
        specification: of the candidate.
        batch: the log that it was judged on, with its odds out of fold as `target`.
    """

    playbook: Playbook
    as_of: float
    champion: Champion
    specification: str
    chosen: Chosen
    artefact: Artefact
    verdict: Verdict
    batch: LoggedBatch


def register(tracker: Tracker, judged: Judged) -> tuple[str, str]:
    """Log the run and register the candidate: the run's id and the registered version."""
    artefact, verdict, version = judged.artefact, judged.verdict, judged.artefact.version
    tags = {"version": version, "promoted": str(verdict.promoted).lower(), "rule": verdict.rule}
    name = f"{judged.specification} {timestamp(judged.as_of)}"
    overlap = asdict(diagnostics(judged.batch))
    with tracker.run(EXPERIMENT, name, _parameters(judged), tags) as run:
        run.log_metrics(_figures(verdict))
        run.log_metrics({f"overlap.{k}": float(v) for k, v in overlap.items() if _number(v)})
        run.log_table([asdict(c) for c in judged.chosen.candidates], "candidates.json")
        run.log_dict(verdict.to_json(), "verdict.json")
        run.log_text(verdict.reason + "\n", "verdict.txt")
        run.log_bytes({"manifest.json": artefact.manifest.to_bytes(), **artefact.files}, "policy")
    registered = tracker.register(judged.playbook.spec.name, run.run_id, "policy", {"version": version})
    return run.run_id, registered


def _parameters(judged: Judged) -> dict[str, Any]:
    manifest = judged.artefact.manifest
    return {
        "specification": judged.specification,
        "playbook": judged.playbook.version,
        "as_of": timestamp(judged.as_of),
        "rows": manifest.rows,
        "data_from": timestamp(manifest.data_from),
        "data_to": timestamp(manifest.data_to),
        "champion": judged.champion.name,
        "chosen_per_fold": ",".join(judged.chosen.crossed.chosen),
    }


def _figures(verdict: Verdict) -> dict[str, float]:
    figures = {"promoted": float(verdict.promoted), "decisions": float(verdict.decisions)}
    for who in ("challenger", "champion"):
        for name, e in getattr(verdict, who).items():
            figures |= {f"{who}.{name}.{f}": float(getattr(e, f)) for f in ("value", "low", "high")}
            figures[f"{who}.{name}.effective_n"] = float(e.effective_n)
    if verdict.difference is not None:
        d = verdict.difference
        figures |= {f"difference.{f}": float(getattr(d, f)) for f in ("value", "low", "high", "stderr")}
    return figures


def _number(value: object) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))
