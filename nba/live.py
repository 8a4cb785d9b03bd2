"""What serves in this process: playbook, policy and scores behind one reference.

A request takes the reference once, so it never sees half a swap. A new artefact is read and checked
before the swap; bad bytes keep the last good policy, are tried again with growing pauses, and are told.
A new process that meets bad bytes takes what served before them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from nba.artefacts import Artefacts
from nba.errors import CallOperator, NbaError, NotFound
from nba.journey.scores import ScoreModels, unseal_scores
from nba.playbook.compile import Playbook
from nba.policies.artefact import unseal
from nba.policies.policy import Policy
from nba.policies.served import IncumbentPolicy, UniformPolicy, fallback
from nba.stores.ports import Publication, Store

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_EARLIER = 10  # publications that a new process tries in place of a bad one


Fallback = Literal["untrained", "refused"]


@dataclass(frozen=True, kw_only=True)
class Live:
    """One consistent set of what serves.

    Attributes:
        policy: the champion, or what serves for want of one.
        policy_name: as decisions name it, `linear@7`; number 0 is the fallback with nothing trained.
        policy_publication, scores_publication: None where nothing is published.
        trained_through: latest decision the policy was trained on, epoch seconds.
        fallback: why something else than the published champion is `policy`: `untrained`, or `refused`
            where the champion's artefact can't be served; None where it is the champion.
        challenger: a policy that looks on, with its name and publication.
    """

    playbook: Playbook
    policy: Policy
    policy_name: str
    policy_publication: Publication | None
    scores: ScoreModels | None
    scores_publication: Publication | None
    trained_through: float | None
    fallback: Fallback | None = None
    challenger: Policy | None = None
    challenger_name: str | None = None
    challenger_publication: Publication | None = None

    @cached_property
    def ladder(self) -> tuple[tuple[str, Policy], ...]:
        """Who decides, and who does where that fails, with their names: champion, incumbent, uniform.

        In `mode: apprentice` the incumbent decides.
        """
        own = [(self.policy_name, self.policy)] if self.playbook.spec.mode == "autopilot" else []
        rules = [("incumbent@0", IncumbentPolicy.of(self.playbook))] if self.playbook.incumbent_rules else []
        rungs: list[tuple[str, Policy]] = [*own, *rules, ("uniform@0", UniformPolicy.of(self.playbook))]
        return tuple({name: (name, policy) for name, policy in rungs}.values())

    @cached_property
    def watching(self) -> tuple[tuple[str, Policy], ...]:
        """Policies that look on: the challenger, and in `mode: apprentice` what is trained."""
        own = self.playbook.spec.mode == "apprentice" and self.policy_publication is not None
        named: list[tuple[str, Policy]] = [(self.policy_name, self.policy)] if own else []
        if self.challenger is not None and self.challenger_name is not None:
            named.append((self.challenger_name, self.challenger))
        return tuple(named)

    @property
    def decides(self) -> str:
        """The policy that decides where nothing fails, by name."""
        return self.ladder[0][0]

    def under(self, playbook: Playbook) -> Live:
        """The same for a playbook with further arms appended, `nba.playbook.catalogue.bring`."""
        return replace(
            self,
            playbook=playbook,
            policy=self.policy.under(playbook),
            challenger=None if self.challenger is None else self.challenger.under(playbook),
        )


def untrained(playbook: Playbook) -> Live:
    """What serves with nothing trained: the incumbent's rules where there are any, else uniform."""
    policy = fallback(playbook)
    return Live(
        playbook=playbook,
        policy=policy,
        policy_name=f"{policy.specification}@0",
        policy_publication=None,
        scores=None,
        scores_publication=None,
        trained_through=None,
        fallback="untrained",
    )


class LiveSource:
    """Keeps `current` at what the store says should serve.

    `refresh` is called from one thread; `current` is read from any. `failed` counts refusals of bad
    artefacts, and `alert` is told of each.
    """

    def __init__(
        self,
        *,
        playbook: Playbook,
        store: Store,
        artefacts: Artefacts,
        alert: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self._store = store
        self._artefacts = artefacts
        self._alert = alert
        self._lock = threading.Lock()
        self._bad: dict[str, tuple[float, float]] = {}  # version → (try again at, pause)
        self.failed = 0
        self.current = untrained(playbook)

    def refresh(self, now: float) -> bool:
        """Bring `current` up to date; True where it changed. Raises StoreUnavailable."""
        with self._lock:
            serving = self._store.serving()
            live = self.current
            for kind in ("scores", "policy", "challenger"):
                if kind in serving:
                    live = self._brought(live, serving[kind], now)
            changed = _in_use(live) != _in_use(self.current)
            self.current = live
            return changed

    def _brought(self, live: Live, wanted: Publication, now: float) -> Live:
        """`live` with the publication, or with the last good one where that can't be served."""
        have = _serving(live, wanted.kind)
        again, _ = self._bad.get(wanted.version, (now, 0.0))
        if now < again or (have is not None and have.number == wanted.number):
            return live
        try:
            return self._swapped(live, wanted)
        except (CallOperator, NotFound) as error:
            self._refused(live, wanted, error, now)
        kept = live if have is not None or wanted.kind == "challenger" else self._last_good(live, wanted)
        told = wanted.kind != "policy" or kept.fallback == "refused"
        return kept if told else replace(kept, fallback="refused")

    def _last_good(self, live: Live, wanted: Publication) -> Live:
        """With what served before, latest first: a new process has no last good one in memory."""
        latest = {p.version: p for p in self._store.audit() if p.kind == wanted.kind}
        latest.pop(wanted.version, None)
        for publication in sorted(latest.values(), key=lambda p: -p.number)[:_EARLIER]:
            with suppress(CallOperator, NotFound):  # told when it was wanted
                return self._swapped(live, publication)
        return live

    def _swapped(self, live: Live, publication: Publication) -> Live:
        artefact = self._artefacts.read(publication.version)
        if publication.kind == "scores":
            scores = unseal_scores(artefact, live.playbook.schema)
            return replace(live, scores=scores, scores_publication=publication)
        policy, name = unseal(artefact, live.playbook), f"{publication.specification}@{publication.number}"
        if publication.kind == "challenger":
            return replace(live, challenger=policy, challenger_name=name, challenger_publication=publication)
        return replace(
            live,
            policy=policy,
            policy_name=name,
            policy_publication=publication,
            trained_through=artefact.manifest.data_to,
            fallback=None,
        )

    def _refused(self, live: Live, publication: Publication, error: NbaError, now: float) -> None:
        _, pause = self._bad.get(publication.version, (now, _FIRST_PAUSE / 2))
        pause = min(2 * pause, _LONGEST_PAUSE)
        self._bad[publication.version] = (now + pause, pause)
        self.failed += 1
        fields = {"kind": publication.kind, "version": publication.version, "number": publication.number}
        self._alert("artefact_refused", {**fields, "detail": error.detail, "serving": live.policy_name})


def _in_use(live: Live) -> list[Publication | None]:
    return [_serving(live, kind) for kind in ("policy", "scores", "challenger")]


def _serving(live: Live, kind: str) -> Publication | None:
    """The publication of a kind that is in use."""
    match kind:
        case "scores":
            return live.scores_publication
        case "challenger":
            return live.challenger_publication
        case _:
            return live.policy_publication
