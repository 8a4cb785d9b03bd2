"""What serves in this process: playbook, policy and scores behind one reference.

A request takes the reference once, so it never sees half a swap. A new artefact is read and checked
before the swap; bad bytes keep the last good policy, are tried again with growing pauses, and are told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nba.errors import CallOperator, NbaError, NotFound
from nba.journey.scores import ScoreModels, unseal_scores
from nba.playbook.compile import Playbook
from nba.policies.artefact import unseal
from nba.policies.policy import Policy
from nba.policies.served import fallback
from nba.stores.artefacts import Artefacts
from nba.stores.ports import Publication, Store

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """One consistent set of what serves.

    Attributes:
        policy_name: as decisions name it, `linear@7`; number 0 is the fallback with nothing trained.
        policy_publication, scores_publication: None where nothing is published.
        trained_through: latest decision the policy was trained on, epoch seconds.
    """

    playbook: Playbook
    policy: Policy
    policy_name: str
    policy_publication: Publication | None
    scores: ScoreModels | None
    scores_publication: Publication | None
    trained_through: float | None


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
            scores = self._changed(live.scores_publication, serving.get("scores"), now)
            if scores is not None:
                live = self._with_scores(live, scores, now)
            policy = self._changed(live.policy_publication, serving.get("policy"), now)
            if policy is not None:
                live = self._with_policy(live, policy, now)
            changed = live is not self.current
            self.current = live
            return changed

    def _changed(self, have: Publication | None, want: Publication | None, now: float) -> Publication | None:
        if want is None or (have is not None and have.number == want.number):
            return None
        again, _ = self._bad.get(want.version, (0.0, 0.0))
        return want if now >= again else None

    def _with_policy(self, live: Live, publication: Publication, now: float) -> Live:
        try:
            artefact = self._artefacts.read(publication.version)
            policy = unseal(artefact, live.playbook)
        except (CallOperator, NotFound) as error:
            return self._refused(live, publication, error, now)
        return Live(
            playbook=live.playbook,
            policy=policy,
            policy_name=f"{publication.specification}@{publication.number}",
            policy_publication=publication,
            scores=live.scores,
            scores_publication=live.scores_publication,
            trained_through=artefact.manifest.data_to,
        )

    def _with_scores(self, live: Live, publication: Publication, now: float) -> Live:
        try:
            scores = unseal_scores(self._artefacts.read(publication.version), live.playbook.schema)
        except (CallOperator, NotFound) as error:
            return self._refused(live, publication, error, now)
        return Live(
            playbook=live.playbook,
            policy=live.policy,
            policy_name=live.policy_name,
            policy_publication=live.policy_publication,
            scores=scores,
            scores_publication=publication,
            trained_through=live.trained_through,
        )

    def _refused(self, live: Live, publication: Publication, error: NbaError, now: float) -> Live:
        _, pause = self._bad.get(publication.version, (0.0, _FIRST_PAUSE / 2))
        pause = min(2 * pause, _LONGEST_PAUSE)
        self._bad[publication.version] = (now + pause, pause)
        self.failed += 1
        fields = {"kind": publication.kind, "version": publication.version, "number": publication.number}
        self._alert("artefact_refused", {**fields, "detail": error.detail, "serving": live.policy_name})
        return live
