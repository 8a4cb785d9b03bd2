"""Simulated customers who live through the API: decide → respond → outcomes, day by day.

Each customer is decided for once a week, so that a reward is mature when the next decision is due: all of
them on Mondays, or a seventh each day. What they do all week, of themselves or because they were contacted,
is reported at its own time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from experiments.simulate import NO_CONTACT, State, World, customer_ids, day_start, expected_reward
from training.demo.care import Care
from training.demo.client import Client, report_all
from training.demo.past import contexts, revocations

WEEK = 7
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Item = dict[str, Any]
Spoil = Callable[[int, Item], Item]


class Lives:
    """The customers of a world from day 0 on. The world's state is hidden here; the server is told events.

    Attributes:
        day: the next day to be lived.
        decisions: how many were asked for so far.
        reward: what all customers were worth so far, by the world's own account.
        regret: (day, mean regret of that day's treatment decisions against the best eligible arm, one step
            ahead, in the playbook's currency), where it was asked for.
        arms: (action, channel, timing) → its index in the world.
        truth: decision id → (k,) the true one-step value of each of the world's arms, likewise.
    """

    def __init__(
        self,
        world: World,
        state: State,
        outcome_types: Sequence[str],
        seed: int,
        *,
        daily: bool = False,
        measures: bool = False,
        spoil: Spoil = lambda day, item: item,
        care: Care | None = None,
    ) -> None:
        """Args:
        daily: a seventh of the customers is decided for each day, not all on Mondays.
        measures: keep `regret`.
        spoil: changes what is reported on a day, to see what becomes of bad data.
        care: customers also answer surveys and complain, and a desk looks after them.
        """
        self.day = 0
        self.regret: list[tuple[int, float]] = []
        self.truth: dict[str, Floats] = {}
        self._daily, self._measures, self._spoil, self._care = daily, measures, spoil, care
        self.decisions = 0
        self.reward = 0.0
        self._world = world
        self._state = state
        self._outcome_types = list(outcome_types)
        self._seed = seed
        self._ids = customer_ids(np.arange(world.customers)).to_list()
        self._contexts = contexts(world)
        self.arms = {tuple(arm): index for index, arm in enumerate(world.arms)}

    @property
    def customers(self) -> int:
        """How many live."""
        return self._world.customers

    def live(self, client: Client, days: int, advance: Callable[[int], object] = lambda count: None) -> None:
        """Live through `days` days. `advance` hears of decisions made.

        Raises:
            CallOperator: the server refused something.
        """
        everybody = np.arange(self._world.customers)
        for _ in range(days):
            asked = self._asked()
            arm, sent = np.full(len(everybody), NO_CONTACT), np.full(len(everybody), np.nan)
            if len(asked):
                arm[asked], sent[asked] = self._decide(client, asked, advance)
            before = self._state
            self._state, response = self._world.respond(before, everybody, self.day, arm, self._seed, sent)
            touchpoints = response.touchpoints()
            if self._care is not None:
                touchpoints = self._care.live(client, self.day, before, touchpoints)
            self._report(client, touchpoints)
            self.reward += float(response.reward().sum())
            self.day += 1

    def drift(self, seed: int, size: float = 1.0) -> None:
        """From now on tastes are others: what a policy has learned of them is wrong."""
        self._world = self._world.drifted(seed, size)

    def _asked(self) -> Ints:
        """Who is decided for today."""
        everybody: Ints = np.arange(self._world.customers)
        if self._daily:
            return np.arange(self.day % WEEK, self._world.customers, WEEK)
        return everybody if self.day % WEEK == 0 else everybody[:0]

    def _decide(self, client: Client, asked: Ints, advance: Callable[[int], object]) -> tuple[Ints, Floats]:
        """(m,) the arm of each customer who is asked for, and when it is sent; NaN for no contact."""
        at = iso(day_start(self.day))
        bodies = [
            orjson.dumps(
                {
                    "customer_id": customer,
                    "decision_id": f"{customer}.{self.day}",
                    "context": context,
                    "at": at,
                }
            )
            for customer, context in ((self._ids[row], self._contexts[row]) for row in asked.tolist())
        ]
        answers = [orjson.loads(answer) for answer in client.post_all("/v1/decisions", bodies, advance)]
        self.decisions += len(answers)
        arm = [self.arms[answer["action"], answer["channel"], answer["timing"]] for answer in answers]
        sent = [epoch(answer["send_at"]) if answer["send_at"] else np.nan for answer in answers]
        if self._measures:
            self._measure(asked, np.array(arm), answers)
        return np.array(arm), np.array(sent)

    def _measure(self, asked: Ints, arm: Ints, answers: Sequence[dict[str, Any]]) -> None:
        expected = expected_reward(self._world, self._state, self.day)[asked]
        best = np.where(self._world.eligible(self._state)[asked], expected, -np.inf).max(axis=1)
        missed = best - expected[np.arange(len(arm)), arm]
        treated = np.array([answer["group"] == "treatment" for answer in answers])
        self.regret.append((self.day, float(missed[treated].mean())))
        self.truth |= {answer["decision_id"]: row for answer, row in zip(answers, expected, strict=True)}

    def _report(self, client: Client, touchpoints: pl.DataFrame) -> None:
        """Each touchpoint once: as an outcome where it is an objective, else as an event."""
        outcome = pl.col("type").is_in(self._outcome_types)
        outcomes = [
            self._spoil(self.day, _item("outcome_id", row))
            for row in touchpoints.filter(outcome).iter_rows(named=True)
        ]
        events = [_item("event_id", row) for row in touchpoints.filter(~outcome).iter_rows(named=True)]
        events += [
            {**_item("event_id", row), "properties": orjson.loads(row["properties"])}
            for row in revocations(touchpoints).iter_rows(named=True)
        ]
        report_all(client, "/v1/outcomes", "outcomes", outcomes)
        report_all(client, "/v1/events", "events", events)


def iso(moment: float) -> str:
    """Epoch seconds → ISO 8601."""
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


def epoch(moment: str) -> float:
    """ISO 8601 → epoch seconds."""
    return datetime.fromisoformat(moment).timestamp()


def _item(id_field: str, row: dict[str, Any]) -> dict[str, Any]:
    return {
        id_field: row["event_id"],
        "customer_id": row["customer_id"],
        "type": row["type"],
        "channel": row["channel"],
        "occurred_at": row["occurred_at"].isoformat(),
        "value": row["value"],
    }
