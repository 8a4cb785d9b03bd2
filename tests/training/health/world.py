"""The built-in world on a store in memory: the service decides in this process, without a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import orjson
import polars as pl

from experiments.simulate import PLAYBOOK, World, day_start, history
from nba.model import Answer, Receipt
from nba.playbook.compile import Playbook, parse
from nba.stores.memory import MemoryStore
from nba.stores.ports import Store
from serving.requests import decision_request, events, outcomes
from tests.service.business import SECRET, Business
from training.demo.folder import without_incumbent
from training.demo.lives import Item, Lives
from training.demo.past import past
from training.policy.learnable import learnable
from training.policy.selection import fit_policy

UNTRAINED = without_incumbent(PLAYBOOK.read_text("utf-8"))


@dataclass
class InProcess:
    """Takes bodies as the demo's client does, and hands them to a service."""

    business: Business
    now: Callable[[], float]

    def post_all(
        self, path: str, bodies: Sequence[bytes], advance: Callable[[int], object] = lambda count: None
    ) -> list[bytes]:
        answers: list[bytes] = []
        for start in range(0, len(bodies), 250):
            lot = bodies[start : start + 250]
            results = self.business.service.handle([_command(path, body) for body in lot], self.now())
            answers += [_answer(result) for result in results]
            advance(len(lot))
        return answers


@dataclass
class Company:
    """Customers who live from day 0 on, a seventh of whom is decided for each day."""

    business: Business
    lives: Lives
    playbook: Playbook
    client: InProcess = field(init=False)

    def __post_init__(self) -> None:
        self.client = InProcess(self.business, lambda: day_start(self.lives.day) + 1)

    @classmethod
    def of(
        cls,
        customers: int,
        seed: int,
        *,
        text: str = UNTRAINED,
        spoil: Callable[[int, Item], Item] = lambda day, item: item,
    ) -> Company:
        """Known by profile and consent, not by a past; nothing is trained yet."""
        playbook, world = parse(text), World.create(seed, customers)
        business = Business.of(playbook, MemoryStore("request", secret=SECRET))
        state = world.initial()
        types = tuple(playbook.spec.objectives.outcomes)
        lives = Lives(world, state, types, seed, daily=True, measures=True, spoil=spoil)
        company = cls(business=business, lives=lives, playbook=playbook)
        company.introduce(world)
        return company

    @property
    def store(self) -> Store:
        return self.business.store

    def introduce(self, world: World) -> None:
        """Tell the store who the customers are and what they consent to."""
        known = past(world, history(world, 1, 0, rate=0.0), 1).filter(
            pl.col("type").is_in(["profile", "consent"])
        )
        items = [
            {
                "event_id": row["event_id"],
                "customer_id": row["customer_id"],
                "type": row["type"],
                "channel": row["channel"],
                "occurred_at": row["occurred_at"].isoformat(),
                "properties": orjson.loads(row["properties"]),
            }
            for row in known.iter_rows(named=True)
        ]
        bodies = [orjson.dumps({"events": items[i : i + 500]}) for i in range(0, len(items), 500)]
        self.client.post_all("/v1/events", bodies)

    def live(self, days: int) -> None:
        self.lives.live(self.client, days)  # type: ignore[arg-type]

    def train(self, specification: str = "ridge", number: int = 1) -> None:
        """Let a policy of all mature treatment decisions serve from now on, whatever a gate would say."""
        log = learnable(self.store, self.playbook, day_start(self.lives.day)).log
        policy = fit_policy(self.playbook, log.where(log.group == "treatment"), specification, seed=0)
        self.business.live.current = replace(
            self.business.live.current, policy=policy, policy_name=f"{specification}@{number}"
        )


def _command(path: str, body: bytes) -> object:
    if path == "/v1/decisions":
        return decision_request(body)
    return outcomes(body) if path == "/v1/outcomes" else events(body, "application/json")


def _answer(result: object) -> bytes:
    if isinstance(result, Receipt):
        return orjson.dumps({"rejected": [{"detail": r.detail} for r in result.rejected]})
    assert isinstance(result, Answer), result
    return result.body
