"""What a retraining leaves in MLflow, composed as a value: a run with its card, figures and a version.

Sending it, now or when MLflow is back, is for `experiments.backlog`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.ope import Diagnostics, Estimate, diagnostics
from experiments.tracking import Registration, RunRecord, fingerprint_of_columns
from experiments.tracking.record import Metric
from nba.policies.artefact import unseal
from nba.policies.served import ServedPolicy
from nba.record import timestamp
from nba.rewards.reward import reward_version
from nba.stores.ports import Publication
from training.policy import figures
from training.policy.card import card, markdown
from training.policy.judged import Champion as Champion
from training.policy.judged import Judged as Judged
from training.policy.log import DecisionLog

EXPERIMENT = "policy"
FOLDER = "policy"
_EXPLAINED = 2_000  # decisions that the importance of features is taken over
_LEARNED = ("decided_at", "customer", "arm", "propensity", "reward", "features")


def register(judged: Judged, published: Publication | None = None) -> RunRecord:
    """The run of a judged candidate, with its artefact as a version of the model named like the playbook.

    The same candidate judged anew at the same moment is the same run, so repeating it writes nothing twice.

    Args:
        published: where it was promoted already; else `experiments.tracking.align` names it later.
    """
    overlap, bins = diagnostics(judged.batch), figures.reliability(judged.batch)
    data = "" if judged.trained is None else log_fingerprint(judged.trained)
    told = card(judged, overlap, bins, data)
    importance = feature_importance(judged)
    tags = _tags(judged, published, data)
    described = markdown(told, judged.playbook.spec.currency)
    return RunRecord(
        experiment=EXPERIMENT,
        name=f"{judged.specification} {timestamp(judged.as_of)}",
        started_at=judged.as_of,
        id=_id(judged),
        params=_parameters(judged, data),
        metrics=tuple(_metrics(judged, overlap)),
        tags=tags,
        tables=_tables(judged, bins, importance),
        dicts={"card.json": told, "verdict.json": judged.verdict.to_json()},
        texts={"card.md": described, "verdict.txt": judged.verdict.reason + "\n"},
        files={FOLDER: {"manifest.json": judged.artefact.manifest.to_bytes(), **judged.artefact.files}},
        figures={name: figures.png(figure) for name, figure in _figures(judged, overlap, bins, importance)},
        registration=Registration(
            model=judged.playbook.spec.name, folder=FOLDER, tags=tags, description=described
        ),
    )


def log_fingerprint(log: DecisionLog) -> str:
    """SHA-256 of the decisions as learned from, in order of time."""
    return fingerprint_of_columns({name: getattr(log, name) for name in _LEARNED})


def feature_importance(judged: Judged) -> dict[str, float]:
    """Mean |contribution| of each feature to the chosen arm's expected value, in currency, most first.

    For boosted models these are SHAP values (TreeSHAP, Lundberg et al. 2020), for linear ones the terms of
    the sum. Empty for policies that learned no reward model.
    """
    policy = unseal(judged.artefact, judged.playbook)
    if judged.trained is None or not isinstance(policy, ServedPolicy):
        return {}
    rows = np.sort(np.random.default_rng(0).permutation(len(judged.trained))[:_EXPLAINED])
    features = judged.trained.features[rows]
    eligible = judged.trained.eligible[rows][:, : len(judged.playbook.arms)]
    parts = np.abs(policy.model.contributions(features, policy.choose(features, eligible).best))
    means = zip(judged.playbook.schema.names, parts.mean(axis=0).tolist(), strict=True)
    return dict(sorted(means, key=lambda item: -item[1]))


def _id(judged: Judged) -> str:
    text = f"{judged.artefact.version} {judged.champion.name} {judged.as_of!r}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _tags(judged: Judged, published: Publication | None, data: str) -> dict[str, str]:
    tags = {
        "version": judged.artefact.version,
        "specification": judged.specification,
        "rule": judged.verdict.rule,
        "promoted": str(judged.verdict.promoted).lower(),
        "model": judged.playbook.spec.name,
        "playbook": judged.playbook.version,
        "reward": reward_version(judged.playbook),
        "data": data,
    }
    return tags if published is None else tags | {"policy": published.name}


def _parameters(judged: Judged, data: str) -> dict[str, Any]:
    manifest = judged.artefact.manifest
    own: Mapping[str, Any] = {f"learner.{name}": value for name, value in manifest.parameters.items()}
    return {
        "specification": judged.specification,
        "playbook": judged.playbook.version,
        "reward": reward_version(judged.playbook),
        "as_of": timestamp(judged.as_of),
        "rows": manifest.rows,
        "data_from": "" if manifest.data_from is None else timestamp(manifest.data_from),
        "data_to": "" if manifest.data_to is None else timestamp(manifest.data_to),
        "data_fingerprint": data,
        "champion": judged.champion.name,
        "chosen_per_fold": ",".join(judged.chosen.crossed.chosen),
        **own,
    }


def _metrics(judged: Judged, overlap: Diagnostics) -> Iterator[Metric]:
    verdict = judged.verdict
    yield "promoted", float(verdict.promoted), 0
    yield "decisions", float(verdict.decisions), 0
    yield "attempt", float(verdict.attempt), 0
    yield "level", verdict.level, 0
    for who in ("challenger", "champion"):
        for name, found in getattr(verdict, who).items():
            yield from _estimate(f"{who}.{name}", found)
    for what in ("difference", "anchor"):
        found = getattr(verdict, what)
        if found is not None:
            yield from _estimate(what, found)
    for check in verdict.guardrails:
        for who in ("challenger", "champion"):
            if getattr(check, who) is not None:
                yield f"guardrail.{check.name}.{who}", float(getattr(check, who)), 0
    for figure, value in asdict(overlap).items():
        if isinstance(value, int | float):
            yield f"overlap.{figure}", float(value), 0
    yield from (("regret", float(value), i + 1) for i, value in enumerate(judged.regret))


def _estimate(name: str, found: Estimate) -> Iterator[Metric]:
    for figure, value in asdict(found).items():
        if isinstance(value, int | float):
            yield f"{name}.{figure}", float(value), 0


def _tables(
    judged: Judged, bins: Sequence[Mapping[str, float]], importance: Mapping[str, float]
) -> dict[str, Sequence[Mapping[str, Any]]]:
    arms = (judged.trained.playbook if judged.trained is not None else None) or judged.playbook
    drawn = np.bincount(judged.batch.arm, minlength=judged.batch.target.shape[1])
    tables: dict[str, Sequence[Mapping[str, Any]]] = {
        "candidates.json": [asdict(candidate) for candidate in judged.chosen.candidates],
        "estimates.json": [
            {"policy": who, "estimator": name, **asdict(found)}
            for who in ("challenger", "champion")
            for name, found in getattr(judged.verdict, who).items()
        ],
        "arms.json": [
            {"arm": name, "drawn": int(n), "odds": float(odds)}
            for name, n, odds in zip(arms.arms.names, drawn, judged.batch.target.mean(axis=0), strict=False)
        ],
        "reliability.json": bins,
        "importance.json": [{"feature": name, "contribution": v} for name, v in importance.items()],
    }
    return {path: rows for path, rows in tables.items() if rows}


def _figures(
    judged: Judged,
    overlap: Diagnostics,
    bins: Sequence[Mapping[str, float]],
    importance: Mapping[str, float],
) -> Iterator[tuple[str, Figure]]:
    unit, verdict = judged.playbook.spec.currency, judged.verdict
    title = f"{judged.specification} against {judged.champion.name}"
    yield "values.png", figures.values_figure(verdict.challenger, verdict.champion, title, unit)
    yield "weights.png", figures.weights_figure(judged.batch, overlap.effective_n)
    if bins:
        yield "reliability.png", figures.reliability_figure(bins, unit)
    if importance:
        yield "importance.png", figures.importance_figure(importance, unit)
    if judged.regret:
        yield "regret.png", figures.regret_figure(judged.regret, unit)
