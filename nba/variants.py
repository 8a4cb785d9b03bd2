"""What serves for requests that bring actions of their own: the playbook with these, kept for a while."""

from __future__ import annotations

from collections import OrderedDict

from nba.contact.eligibility import Gatekeeper
from nba.live import Live
from nba.model import BroughtAction
from nba.playbook.catalogue import bring
from nba.playbook.compile import Playbook

_KEPT = 8  # catalogues
Variant = tuple[Live, Gatekeeper]


class Variants:
    """What serves under each catalogue, and its compiled rules. Used from one thread."""

    def __init__(self) -> None:
        self._gatekeepers: dict[str, Gatekeeper] = {}
        self._variants: OrderedDict[tuple[BroughtAction, ...], tuple[Live, Variant]] = OrderedDict()

    def gatekeeper(self, playbook: Playbook) -> Gatekeeper:
        """The compiled rules of a playbook without brought actions."""
        return self._gatekeepers.setdefault(playbook.version, Gatekeeper(playbook))

    def of(self, live: Live, brought: tuple[BroughtAction, ...]) -> Variant:
        """`live` with the brought actions among its arms."""
        if not brought:
            return live, self.gatekeeper(live.playbook)
        known = self._variants.get(brought)
        if known is not None and known[0] is live:
            self._variants.move_to_end(brought)
            return known[1]
        playbook = bring(live.playbook, brought)
        variant = live.under(playbook), Gatekeeper(playbook)
        self._variants[brought] = (live, variant)
        self._variants.move_to_end(brought)
        while len(self._variants) > _KEPT:
            self._variants.popitem(last=False)
        return variant
