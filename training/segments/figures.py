"""Pictures of a segmentation, for its MLflow run."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from training.segments.choose import STABLE
from training.segments.run import Found


def candidates_figure(found: Found) -> Figure:
    """Stability and silhouette by the number of segments, with their standard errors."""
    tried = found.choice.candidates
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    k = [c.k for c in tried]
    axes.errorbar(
        k, [c.stability for c in tried], [c.stability_stderr for c in tried], marker="o", label="stability"
    )
    axes.errorbar(
        k, [c.silhouette for c in tried], [c.silhouette_stderr for c in tried], marker="s", label="silhouette"
    )
    axes.axhline(STABLE, linestyle="--", color="grey", linewidth=1)
    axes.axvline(found.choice.k, linestyle=":", color="grey", linewidth=1)
    axes.set(xlabel="segments", ylim=(0, 1.05), title=f"{found.choice.k} chosen")
    axes.legend()
    return figure


def differences_figure(found: Found) -> Figure:
    """Where each segment's mean lies on each trait, in spreads from the median of all."""
    scaling = found.scaling
    used = np.flatnonzero(scaling.weight > 0)
    shown = found.centroids[:, used] / scaling.weight[used]
    figure = Figure(figsize=(2 + 1.1 * len(shown), 1.5 + 0.3 * len(used)), layout="constrained")
    axes = figure.subplots()
    drawn = axes.imshow(shown.T, cmap="PuOr", vmin=-2, vmax=2, aspect="auto")
    axes.set_xticks(range(len(shown)), [s.name for s in found.segments], rotation=30, ha="right")
    axes.set_yticks(range(len(used)), [scaling.traits[i].name for i in used])
    figure.colorbar(drawn, label="spreads from the median of all customers")
    return figure
