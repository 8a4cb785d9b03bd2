"""Who plays, and with which settings. Rivals may take the best of their grid on each set; ours has one.

Entrants that are not ranked are there to tell encoding from learning: a rival with our columns, VW on
raw numbers, ours without products or with a playbook's defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from experiments.bakeoff.columns import Rounds
from experiments.bakeoff.game import Player
from experiments.bakeoff.ours import Ours, OurSetting
from experiments.bakeoff.rivals import LinearSetting, LinTs, LinUcb, RidgeIgw
from experiments.bakeoff.vw import Vw, VwSetting

Setting = OurSetting | LinearSetting | VwSetting
OURS = "nba"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """A policy of the contest.

    Attributes:
        grid: its settings; one is played where there is one, else the best on each set.
        ranked: counts in the mean rank.
        make: a player of (rounds, index of the setting, seed).
    """

    name: str
    grid: tuple[Setting, ...]
    make: Callable[[Rounds, int, int], Player]
    ranked: bool = True


def _ours(name: str, setting: OurSetting, *, ranked: bool) -> Entrant:
    return Entrant(
        name=name, grid=(setting,), make=lambda rounds, i, seed: Ours(rounds, setting), ranked=ranked
    )


def _linear(
    name: str,
    kind: type[LinUcb] | type[LinTs],
    strengths: tuple[float, ...],
    alphas: tuple[float, ...],
    *,
    columns: str = "binned",
    ranked: bool = True,
) -> Entrant:
    grid = tuple(LinearSetting(strength=s, explore=a, columns=columns) for s, a in product(strengths, alphas))
    return Entrant(
        name=name, grid=grid, make=lambda rounds, i, seed: kind(rounds, grid[i], seed), ranked=ranked
    )


def _igw(name: str, columns: str, strengths: tuple[float, ...], *, ranked: bool) -> Entrant:
    grid = tuple(
        LinearSetting(strength=s, explore=g, columns=columns)
        for s, g in product(strengths, (10.0, 100.0, 1_000.0))
    )
    return Entrant(
        name=name, grid=grid, make=lambda rounds, i, seed: RidgeIgw(rounds, grid[i]), ranked=ranked
    )


def _vw(
    name: str,
    flags: tuple[str, ...],
    rates: tuple[float, ...],
    *,
    columns: tuple[str, ...] = ("binned", "products"),
    ranked: bool = True,
) -> Entrant:
    grid = tuple(VwSetting(flags=f, rate=r, columns=c) for c, f, r in product(columns, flags, rates))
    return Entrant(
        name=name, grid=grid, make=lambda rounds, i, seed: Vw(rounds, grid[i], seed), ranked=ranked
    )


_SQUARECB = tuple(f"--squarecb --gamma_scale {g} --cb_type mtr" for g in (100, 1_000))
_COVER = tuple(f"--cover 4 --nounif --psi {p} --cb_type {t}" for p, t in ((0.1, "mtr"), (0.01, "dr")))
_GREEDY = tuple(f"--epsilon {e} --cb_type mtr" for e in (0.02, 0.05))
_ALPHAS = (0.1, 0.25, 0.5, 1.0)

ENTRANTS: dict[str, Entrant] = {
    entrant.name: entrant
    for entrant in (
        _ours(OURS, OurSetting(), ranked=True),
        _vw("vw squarecb", _SQUARECB, (0.5, 2.0)),
        _vw("vw cover", _COVER, (0.1, 0.5)),
        _vw("vw ε-greedy", _GREEDY, (0.5, 2.0)),
        _linear("linucb", LinUcb, (1.0, 10.0, 30.0), _ALPHAS),
        _linear("lints", LinTs, (1.0, 10.0, 30.0), (0.02, 0.05, 0.1, 0.25)),
        _igw("ridge + igw", "binned", (1.0, 10.0, 30.0), ranked=True),
        _ours("nba, playbook's γ and ε", OurSetting(gamma=100.0, floor=0.02), ranked=False),
        _ours("nba, binned alone", OurSetting(members=OurSetting().members[:1]), ranked=False),
        _linear("linucb + products", LinUcb, (10.0, 30.0), (0.1, 0.25), columns="products", ranked=False),
        _igw("ridge + igw + products", "products", (10.0, 30.0), ranked=False),
        _vw("vw squarecb, raw", _SQUARECB[1:], (0.1, 0.5), columns=("raw",), ranked=False),
    )
}
