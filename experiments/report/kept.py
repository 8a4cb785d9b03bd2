"""The playbooks that decisions name, each parsed once: what a contact cost, who was to be in which group."""

from __future__ import annotations

from nba.errors import InvalidInput
from nba.playbook.compile import Playbook, parse
from nba.stores.ports import DecisionRow, Store


class KeptPlaybooks:
    """The playbook of now, and those that the store keeps."""

    def __init__(self, now: Playbook, store: Store) -> None:
        self._store = store
        self._known = {now.version: now}

    def of(self, version: str) -> Playbook:
        """Raises InvalidInput where the store doesn't keep it."""
        if version not in self._known:
            text = self._store.playbook(version)
            if text is None:
                raise InvalidInput.of("playbook", f"the store does not keep {version}")
            self._known[version] = parse(text, source=version, kept=True)
        return self._known[version]

    def cost(self, row: DecisionRow) -> float:
        """Of the contact, in the playbook's currency; 0 for silence.

        Raises:
            InvalidInput: the playbook has no such arm.
        """
        playbook = self.of(row.playbook)
        arm = playbook.arms.index.get(row.arm)
        if arm is not None:
            return float(playbook.arms.cost[arm])
        if row.action not in playbook.spec.actions and row.channel in playbook.spec.channels:
            return playbook.spec.catalogue.cost + playbook.spec.channels[row.channel].cost  # brought along
        raise InvalidInput.of("store", f"a decision names the arm {row.arm}, {row.playbook} has none such")
