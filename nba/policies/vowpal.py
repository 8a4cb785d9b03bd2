"""Learn a linear reward model with Vowpal Wabbit, and ask it for its matrix. The one module that imports it.

Plain regression of the reward on the chosen arm, bilinear in context × arm features, unclamped. VW
learns; `nba/policies/linear.py` serves. VW takes no text of ours: features go in as column numbers, so no
name can break a line, and rewards go in standardised. A workspace is never shared between threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from vowpalwabbit import CBLabel, Workspace

from nba.errors import CorruptArtefact, InvalidInput
from nba.policies.policy import Floats, Ints

_TOLERANCE = 1e-4  # of compiled scores against VW's own, relative to their spread
_SPARE = 64  # table entries for each feature pair; two pairs that meet share a weight
_BITS = (18, 24)


def learn(
    encoded: Floats,
    arm: Ints,
    reward: Floats,
    phi: Floats,
    *,
    weight: Floats,
    seed: int,
    passes: int = 2,
    rate: float = 0.02,
    power: float = 0.5,
    l2: float = 0.0,
) -> Floats:
    """(n, d) contexts, (n,) arms and rewards, (k, p) arm features → W, (p + 1, d + 1).

    Passes replay the decisions, each in an order of its own drawn from `seed`.

    Raises:
        CorruptArtefact: the extracted matrix doesn't reproduce VW's predictions.
    """
    mean, scale = float(np.average(reward, weights=weight)), float(reward.std()) or 1.0
    labels = ((reward - mean) / scale).tolist()
    arms = [namespace("a", row) for row in phi]
    lines = [
        f"{label:.9g} {w:.9g} {namespace('c', x)}{arms[a]}"
        for label, w, x, a in zip(labels, weight.tolist(), encoded, arm.tolist(), strict=True)
    ]
    options = f"--learning_rate {rate:g} --power_t {power:g} --l2 {l2:g} --loss_function squared"
    with workspace(options, encoded.shape[1], phi.shape[1]) as vw:
        rng = np.random.default_rng(seed)
        for _ in range(passes):
            for i in rng.permutation(len(lines)).tolist():
                vw.learn(lines[i])
        weights = extract(vw, encoded.shape[1], phi.shape[1])
        check(vw, weights, encoded, phi, rng)
    weights *= scale
    weights[0, 0] += mean
    return weights


def importance(propensity: Floats, kind: str, limit: float = 10.0) -> Floats:
    """(n,) weights of mean 1: `none` is 1 for all, `clipped` is 1 / propensity, at most `limit`."""
    if kind == "none":
        return np.ones(len(propensity))
    if kind != "clipped":
        raise InvalidInput.of("importance", f"is none or clipped, not {kind!r}")
    weight = np.minimum(1.0 / propensity, limit)
    return np.asarray(weight / weight.mean(), dtype=np.float64)


def check(vw: Any, weights: Floats, encoded: Floats, phi: Floats, rng: np.random.Generator) -> None:
    """Compare W with VW on random training contexts and arms. Raises CorruptArtefact."""
    rows, arms = rng.integers(len(encoded), size=64), rng.integers(len(phi), size=64)
    asked = np.array([predict(vw, encoded[i], phi[a]) for i, a in zip(rows, arms, strict=True)])
    left = np.column_stack((np.ones(64), phi[arms]))
    right = np.column_stack((np.ones(64), encoded[rows]))
    compiled = np.einsum("np,pd,nd->n", left, weights, right, optimize=True)
    error = float(np.abs(asked - compiled).max()) / max(float(np.abs(asked).max()), 1e-2)
    if not error <= _TOLERANCE:  # also where it is NaN
        raise CorruptArtefact(f"the compiled matrix is {error:.1e} off what Vowpal Wabbit predicts")


def predict(vw: Any, context: Floats, phi: Floats) -> float:
    """VW's own prediction for one context (d,) and the features (p,) of one arm."""
    return float(vw.predict(namespace("c", context) + namespace("a", phi)))


@contextmanager
def workspace(options: str, d: int, p: int) -> Iterator[Any]:
    bits = min(max(int(np.ceil(np.log2(_SPARE * (d + 1) * (p + 1)))), _BITS[0]), _BITS[1])
    unclamped = "--min_prediction -1e9 --max_prediction 1e9"  # else clamped to the labels it saw
    vw = Workspace(f"--quiet --bit_precision {bits} --quadratic ca {unclamped} {options}")
    try:
        yield vw
    finally:
        vw.finish()


def namespace(name: str, values: Floats) -> str:
    """`|c 3:0.5 17:1 `: the columns that are not 0, by number. VW takes numbers for indices as they are."""
    columns = np.flatnonzero(values)
    pairs = zip(columns.tolist(), values[columns].tolist(), strict=True)
    return f"|{name} " + "".join(f"{i}:{value:.9g} " for i, value in pairs)


def extract(vw: Any, d: int, p: int) -> Floats:
    """The zero vector, each unit vector and each pair of them → W, (p + 1, d + 1)."""
    contexts = ["|c ", *(f"|c {i}:1 " for i in range(d))]
    arms = ["|a ", *(f"|a {j}:1 " for j in range(p))]
    values = np.array([[vw.predict(c + a) for c in contexts] for a in arms], dtype=np.float64)
    values[1:] -= values[0]
    values[:, 1:] -= values[:, :1]
    return values


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenLine:
    """A dsjson line as VW saw it.

    Attributes:
        chosen: place of the labelled action, from 0; None without a label.
        cost, probability: of the label, as float32; NaN without one.
        tags: of the actions, in order.
    """

    chosen: int | None
    cost: float
    probability: float
    tags: tuple[str, ...]


def read_dsjson(lines: Iterable[str]) -> Iterator[SeenLine]:
    """Lines of a dsjson log through VW's own strict reader.

    Raises:
        InvalidInput: VW can't parse a line; the error has its number.
    """
    vw = Workspace("--quiet --dsjson --cb_explore_adf --strict_parse")
    try:
        for number, line in enumerate(lines, start=1):
            try:
                examples = vw.parse(line)
            except RuntimeError as error:
                raise InvalidInput.of("line", f"Vowpal Wabbit can't parse it: {error}", line=number) from None
            yield _seen(examples)
            vw.finish_example(examples)
    finally:
        vw.finish()


def _seen(examples: Sequence[Any]) -> SeenLine:
    labels = [list(example.get_label(CBLabel).costs) for example in examples]
    actions = [i for i, costs in enumerate(labels) if not any(cost.probability < 0 for cost in costs)]
    labelled = [place for place, i in enumerate(actions) if labels[i]]  # the shared example's is negative
    cost = labels[actions[labelled[0]]][0] if labelled else None
    return SeenLine(
        chosen=labelled[0] if labelled else None,
        cost=cost.cost if cost else float("nan"),
        probability=cost.probability if cost else float("nan"),
        tags=tuple(examples[i].get_tag() for i in actions),
    )
