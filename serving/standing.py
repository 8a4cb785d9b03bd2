"""What `GET /v1/policy` tells: who decides, for whom, since when."""

from __future__ import annotations

from math import isfinite
from typing import Any

from nba.chance import Assignment, running_at
from nba.live import Live
from nba.model import timestamp
from nba.playbook.experiment import Experiment
from nba.stores.ports import Publication
from nba.variants import branch


def serving_now(live: Live, moment: float | None) -> dict[str, Any]:
    """As `serving.answers.PolicyOut`; `moment` says which experiments run, None names all."""
    own = live.decides == live.policy_name  # in apprentice mode the incumbent decides, and it looks on
    experiments = live.playbook.spec.experiments
    return {
        "policy": live.decides,
        "playbook": live.playbook.version,
        "mode": live.playbook.spec.mode,
        "watching": [name for name, _ in live.watching],
        "trained_through": timestamp(live.trained_through) if own else None,
        **_published(live.policy_publication if own else None, live.ladder[0][1].specification),
        "scores": None if live.scores_publication is None else _published(live.scores_publication, ""),
        "segments": None if live.segments_publication is None else _published(live.segments_publication, ""),
        "refused": dict(live.refused),
        "ramp": None if live.ramp is None else _ramp(live.ramp.publication),
        "experiments": {
            experiment.name: _experiment(live, experiment)
            for experiment in (experiments if moment is None else running_at(experiments, moment))
        },
    }


def _published(publication: Publication | None, fallback: str) -> dict[str, Any]:
    """Number, artefact and moment; nulls where nothing is published and the fallback serves."""
    if publication is None:
        return {"specification": fallback, "number": None, "artefact": None, "serving_since": None}
    return {
        "specification": publication.specification,
        "number": publication.number,
        "artefact": publication.version,
        "serving_since": timestamp(publication.published_at),
    }


def _ramp(publication: Publication) -> dict[str, Any]:
    since = timestamp(publication.published_at)
    return {"policy": publication.name, "share": publication.share, "since": since}


def _experiment(live: Live, experiment: Experiment) -> dict[str, Any]:
    return {
        "layer": experiment.layer,
        "share": experiment.share,
        "exposes_from": _moment(experiment.exposes_from),
        "exposes_until": _moment(experiment.exposes_until),
        "variants": {
            name: {
                "policy": branch(live, Assignment(variants=((experiment.name, name),)), _told).decides,
                "weight": variant.weight,
            }
            for name, variant in experiment.variants.items()
        },
    }


def _moment(moment: float) -> str | None:
    return timestamp(moment) if isfinite(moment) else None


def _told(name: str, error: Exception) -> None:
    """Whoever decides under it has told of it."""
