"""What serves in this process: playbook, policy and scores behind one reference.

A request takes the reference once, so it never sees half a swap. A new artefact is read and checked
before the swap; bad bytes keep the last good policy, are tried again with growing pauses, and are told.
A new process that meets bad bytes takes what served before them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from nba.artefacts import Artefacts
from nba.errors import CallOperator, NbaError, NotFound
from nba.journey.scores import unseal_scores
from nba.journey.segments import SegmentModel, unseal_segments
from nba.playbook.compile import Playbook
from nba.policies.artefact import unseal
from nba.serves import Fallback as Fallback
from nba.serves import Live as Live
from nba.serves import Published as Published
from nba.serves import (
    in_use,
    named_policies,
    publication_of,
    republished,
    taken_back,
    trial_kinds,
    without,
)
from nba.serves import untrained as untrained
from nba.stores.ports import Publication, Store

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_EARLIER = 10  # publications that a new process tries in place of a bad one


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
        self._pauses: dict[str, tuple[float, float]] = {}  # version or name → (try again at, pause)
        self._trials = trial_kinds(playbook)
        self._names = named_policies(playbook)
        self.failed = 0
        self.current = untrained(playbook)

    @property
    def artefacts(self) -> Artefacts:
        """Where what serves is read from."""
        return self._artefacts

    def refresh(self, now: float) -> bool:
        """Bring `current` up to date; True where it changed. Raises StoreUnavailable."""
        with self._lock:
            serving = self._store.serving()
            live = self.current
            for kind in ("scores", "segments", "policy", "challenger", "ramp", *self._trials):
                if kind in serving:
                    live = self._brought(live, serving[kind], now)
            live = self._with_named(live, now)
            changed = in_use(live) != in_use(self.current)
            self.current = live
            return changed

    def _brought(self, live: Live, wanted: Publication, now: float) -> Live:
        """`live` with the publication, or with the last good one where that can't be served."""
        have = publication_of(live, wanted.kind)
        refused = {kind: why for kind, why in live.refused.items() if kind != wanted.kind}
        if taken_back(wanted):
            gone = without(live, wanted)
            return gone if refused == live.refused else replace(gone, refused=refused)
        if (have is not None and have.number == wanted.number) or self._waits(wanted.version, now):
            return live
        try:
            return replace(self._swapped(live, wanted), refused=refused)
        except (CallOperator, NotFound) as error:
            fields = {"kind": wanted.kind, "version": wanted.version, "number": wanted.number}
            self._refused(live, fields, wanted.version, error, now)
            live = replace(live, refused={**refused, wanted.kind: error.detail})
        if wanted.kind == "ramp":  # what was ramped before has had its time
            return without(live, wanted)
        kept = live if have is not None or wanted.kind == "challenger" else self._last_good(live, wanted)
        told = wanted.kind != "policy" or kept.fallback == "refused"
        return kept if told else replace(kept, fallback="refused")

    def _last_good(self, live: Live, wanted: Publication) -> Live:
        """With what served before, latest first: a new process has no last good one in memory.

        Never with what served before all of it was taken back.
        """
        latest: dict[str, Publication] = {}
        for publication in self._store.audit():
            if publication.kind == wanted.kind:
                latest = {} if taken_back(publication) else {**latest, publication.version: publication}
        latest.pop(wanted.version, None)
        for publication in sorted(latest.values(), key=lambda p: -p.number)[:_EARLIER]:
            with suppress(CallOperator, NotFound):  # told when it was wanted
                return self._swapped(live, publication)
        return live

    def _with_named(self, live: Live, now: float) -> Live:
        """With the published policies that experiments name, which never change."""
        missing = [n for n in self._names if n not in live.trials and not self._waits(n, now)]
        audit = self._store.audit() if missing else []
        for name in missing:
            published = next((p for p in audit if p.name == name and p.version), None)
            try:
                if published is None:
                    raise NotFound(f"an experiment names {name}, which was never published here")
                policy = unseal(self._artefacts.read(published.version), live.playbook)
                one = Published(policy=policy, publication=published)
                live = replace(live, trials={**live.trials, name: one})
            except (CallOperator, NotFound) as error:
                self._refused(live, {"kind": "experiment", "name": name}, name, error, now)
        return live

    def _swapped(self, live: Live, publication: Publication) -> Live:
        have = publication_of(live, publication.kind)
        if have is not None and have.version == publication.version:  # another step, the same bytes
            return republished(live, publication)
        artefact = self._artefacts.read(publication.version)
        if publication.kind == "scores":
            scores = unseal_scores(artefact, live.playbook.schema)
            return replace(live, scores=scores, scores_publication=publication)
        if publication.kind == "segments":
            segments = unseal_segments(artefact, live.playbook)
            self._tell_of_unknown(segments, publication)
            return replace(live, segments=segments, segments_publication=publication)
        policy = unseal(artefact, live.playbook)
        match publication.kind:
            case "challenger":
                return replace(
                    live,
                    challenger=policy,
                    challenger_name=publication.name,
                    challenger_publication=publication,
                )
            case "ramp":
                return replace(live, ramp=Published(policy=policy, publication=publication))
            case "policy":
                return replace(
                    live,
                    policy=policy,
                    policy_name=publication.name,
                    policy_publication=publication,
                    trained_through=artefact.manifest.data_to,
                    fallback=None,
                )
        one = Published(policy=policy, publication=publication)
        return replace(live, trials={**live.trials, publication.kind: one})

    def _tell_of_unknown(self, segments: SegmentModel, publication: Publication) -> None:
        """Rules that ask for a segment which there is not never hold: nobody is in it."""
        if segments.unknown:
            known = [segment.name for segment in segments.segments]
            fields = {"number": publication.number, "asked": list(segments.unknown), "known": known}
            self._alert("segment_unknown", fields)

    def _waits(self, what: str, now: float) -> bool:
        """Whether it was bad so lately that it is not tried again yet."""
        return now < self._pauses.get(what, (now, 0.0))[0]

    def _refused(
        self, live: Live, fields: Mapping[str, object], what: str, error: NbaError, now: float
    ) -> None:
        _, pause = self._pauses.get(what, (now, _FIRST_PAUSE / 2))
        pause = min(2 * pause, _LONGEST_PAUSE)
        self._pauses[what] = (now + pause, pause)
        self.failed += 1
        self._alert("artefact_refused", {**fields, "detail": error.detail, "serving": live.policy_name})
