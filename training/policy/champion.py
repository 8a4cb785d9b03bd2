"""Whom a challenger has to beat: what serves now, and the last policy that was proven better."""

from __future__ import annotations

from contextlib import suppress

import orjson

from nba.artefacts import Artefacts
from nba.errors import CallOperator, NotFound
from nba.live import LiveSource
from nba.playbook.compile import Playbook
from nba.policies.artefact import unseal
from nba.policies.policy import Policy
from nba.standing import line
from nba.stores.ports import Publication, Store
from training.policy.judged import Champion

POLICY = "policy"


def serving_champion(store: Store, artefacts: Artefacts, playbook: Playbook, scope: str = POLICY) -> Champion:
    """What a server would serve now: where the published policy is unreadable or doesn't fit the playbook,
    the last one that does, else the fallback.

    Args:
        scope: `policy`, or the kind of an experiment's own policy: until that has one, the champion decides.
    """
    source = LiveSource(playbook=playbook, store=store, artefacts=artefacts, alert=lambda event, fields: None)
    source.refresh(0.0)
    live = source.current
    through = float("-inf") if live.trained_through is None else live.trained_through
    champion = Champion(policy=live.policy, name=live.policy_name, trained_through=through)
    own = None if scope == POLICY else store.serving().get(scope)
    return champion if own is None else _read(own, artefacts, playbook) or champion


def anchor(store: Store, artefacts: Artefacts, playbook: Playbook, champion: Champion) -> Policy | None:
    """The policy that was last proven better than another, where the champion is a refresh of it.

    None where the champion is that policy, where nothing was, or where it can't be read under this playbook.
    """
    last = _proven(store, champion)
    if last is None or last.name == champion.name:
        return None
    found = _read(last, artefacts, playbook)
    return None if found is None else found.policy


def family(store: Store, champion: Champion) -> str:
    """Whom attempts are counted against, by name: what was last proven, however often it was refreshed since.

    The champion itself where nothing was proven: the fallback, or a policy that somebody promoted by hand.
    """
    last = _proven(store, champion)
    return champion.name if last is None else last.name


def _proven(store: Store, champion: Champion) -> Publication | None:
    """The latest champion whose policy did not come as a refresh, of those that no rollback took away."""
    audit = store.audit()
    champions = line(audit)
    if champion.name not in [p.name for p in champions]:
        return None
    refreshed = {p.number for p in audit if rule_of(p) == "refresh"}
    return next((p for p in reversed(champions) if p.origin not in refreshed), None)


def rule_of(publication: Publication) -> str:
    """By which rule the gate let it through: `new`, `refresh`, or "" where it was no gate."""
    return str(orjson.loads(publication.evidence).get("rule", "")) if publication.evidence else ""


def _read(publication: Publication, artefacts: Artefacts, playbook: Playbook) -> Champion | None:
    with suppress(CallOperator, NotFound):  # another playbook's, or bad bytes: told where it is to serve
        artefact = artefacts.read(publication.version)
        through = artefact.manifest.data_to
        return Champion(
            policy=unseal(artefact, playbook),
            name=publication.name,
            trained_through=float("-inf") if through is None else through,
        )
    return None
