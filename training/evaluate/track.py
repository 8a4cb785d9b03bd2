"""What an evaluation leaves in MLflow: parameters, figures, tables, two pictures and the report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from io import BytesIO

from matplotlib.figure import Figure

from experiments.ope import Estimate
from experiments.tracking import RunRecord
from nba.record import timestamp
from training.evaluate.findings import Evaluation, Found, Valued
from training.evaluate.show import as_json, as_text, difference_rows, estimate_rows

EXPERIMENT = "evaluation"


def record(found: Evaluation) -> RunRecord:
    """The run, ready to be sent."""
    settings = found.settings
    names = ",".join(valued.contender.policy for valued in found.valued)
    return RunRecord(
        experiment=EXPERIMENT,
        name=f"{found.playbook} {timestamp(found.as_of)}",
        started_at=time.time(),
        params={
            "playbook": found.playbook,
            "as_of": timestamp(found.as_of),
            "policies": names,
            "estimators": ",".join(settings.estimators),
            "against": settings.against or "",
            "group": settings.group,
            "embedding": settings.embedding,
            "folds": settings.folds,
            "level": settings.level,
            "seed": settings.seed,
        },
        tags={valued.contender.name.replace("@", "-"): valued.contender.policy for valued in found.valued},
        metrics=[(name, value, 0) for name, value in metrics(found).items()],
        tables={"estimates.json": estimate_rows(found), "differences.json": difference_rows(found)},
        dicts={"evaluation.json": as_json(found)},
        texts={"report.txt": as_text(found)},
        figures=dict(_figures(found)),
    )


def metrics(found: Evaluation) -> Mapping[str, float]:
    """The figures there are: `champion.dr.value`, `champion.rows`, `champion_minus_uniform.dr.low`, …"""
    figures: dict[str, float] = {
        "mature": found.mature,
        "immature": found.immature,
        "left_out": found.left_out.decisions,
    }
    for valued in found.valued:
        name = _key(valued.contender.name)
        figures[f"{name}.rows"] = valued.rows
        figures |= _of(name, valued.found)
        if valued.overlap is not None:
            shown = valued.overlap
            figures |= {
                f"{name}.effective_n": shown.effective_n,
                f"{name}.n_psi": shown.n_psi,
                f"{name}.mean_weight": shown.mean_weight,
                f"{name}.max_weight": shown.max_weight,
                f"{name}.unsupported_share": shown.unsupported_share,
            }
            if shown.draws is not None:
                figures["logged_odds.p_value"] = shown.draws.p_value
    for c in found.compared:
        figures |= _of(f"{_key(c.name)}_minus_{_key(c.against)}", c.found)
    return figures


def _of(name: str, found: Found) -> dict[str, float]:
    return {
        f"{name}.{estimator}.{what}": float(getattr(one, what))
        for estimator, one in found.items()
        if isinstance(one, Estimate)
        for what in ("value", "low", "high", "stderr")
    }


def _key(name: str) -> str:
    """`linear@7` as MLflow takes it."""
    return name.replace("@", "-")


def _figures(found: Evaluation) -> Iterator[tuple[str, bytes]]:
    drawn = values_figure(found)
    if drawn is not None:
        yield "values.png", _png(drawn)
    for valued in found.valued:
        if valued.weight is not None:
            yield f"weights/{_key(valued.contender.name)}.png", _png(weights_figure(valued))


def values_figure(found: Evaluation) -> Figure | None:
    """Every policy's value by estimator, with intervals; None where there is nothing to draw."""
    points = {
        name: [(v.contender.name, v.found[name]) for v in found.valued if isinstance(v.found[name], Estimate)]
        for name in found.settings.estimators
    }
    policies = [valued.contender.name for valued in found.valued]
    if not any(points.values()):
        return None
    figure = Figure(figsize=(8, 1.4 + 0.6 * len(policies)), layout="constrained")
    axes = figure.subplots()
    for i, (name, drawn) in enumerate(points.items()):
        shift = 0.12 * (i - (len(points) - 1) / 2)
        kept = [(policies.index(policy) + shift, one) for policy, one in drawn if isinstance(one, Estimate)]
        values = [one.value for _, one in kept]
        ends = [[one.value - one.low for _, one in kept], [one.high - one.value for _, one in kept]]
        axes.errorbar(values, [place for place, _ in kept], xerr=ends, fmt="o", capsize=3, label=name)
    axes.set_yticks(range(len(policies)), policies)
    axes.set_ylim(len(policies) - 0.5, -0.5)
    axes.set_xlabel(f"{found.currency} per decision, {100 * found.settings.level:g} % interval")
    axes.legend(fontsize="small")
    return figure


def weights_figure(valued: Valued) -> Figure:
    """How the importance weights lie; those of 0 are counted in the title."""
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    if valued.weight is not None:
        used = valued.weight[valued.weight > 0]
        axes.hist(used, bins=40, log=True)
        axes.set_title(
            f"{valued.contender.name}: {len(used):,} of {valued.rows:,} rows weigh", fontsize="medium"
        )
    axes.set_xlabel("importance weight")
    axes.set_ylabel("rows")
    return figure


def _png(figure: Figure) -> bytes:
    out = BytesIO()
    figure.savefig(out, format="png", dpi=120)
    return out.getvalue()
