"""While a page is made, threads take turns often, so that no decision waits for the page's turn to end.

A worker lets a thread run for 20 ms before another may force it to give way (`serving/worker.py`), as its own
threads give way by themselves. A page computes without a break, and each step of a decision would wait for
it; so while there is one the turns are short.
"""

from __future__ import annotations

import sys
import threading
from types import TracebackType

_SHORT = 0.0005


class Turns:
    """A block in which turns are short; blocks may overlap. One for the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._usual = 0.0

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._usual = sys.getswitchinterval()
                sys.setswitchinterval(min(_SHORT, self._usual))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                sys.setswitchinterval(self._usual)


TURNS = Turns()
