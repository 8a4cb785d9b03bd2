"""The pages of the console, in the order of the menu: one file and one line each.

A page's module is loaded when it is first asked for, so that a server whose console nobody opens carries none
of what pages need.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from serving.console.desk import Ask, Desk, Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page.

    Attributes:
        path: behind `/console/`; "" is the first page.
        title: as the menu names it, in English.
        module: in this package; its `show` makes the page.
        deep: whether an id may follow the path.
        listed: whether it stands in the menu.
    """

    path: str
    title: str
    module: str
    deep: bool = False
    listed: bool = True

    def show(self, desk: Desk, ask: Ask) -> Shown:
        """Raises NbaError: what can't be shown, and why."""
        made: Callable[[Desk, Ask], Shown] = import_module(f"{__name__}.{self.module}").show
        return made(desk, ask)


PAGES: tuple[Page, ...] = (
    Page(path="", title="Overview", module="overview"),
    Page(path="journey", title="Journey map", module="journey"),
    Page(path="segments", title="Segments", module="segments"),
    Page(path="customers", title="Customers", module="customers", deep=True),
    Page(path="decisions", title="Decision", module="decisions", deep=True, listed=False),
    Page(path="policy", title="Policy health", module="policy"),
    Page(path="experiments", title="Experiments", module="experiments", deep=True),
    Page(path="feedback", title="Feedback", module="feedback"),
    Page(path="tickets", title="Tickets", module="tickets", deep=True),
    Page(path="playbook", title="Playbook", module="playbook"),
)
