"""Make a logged decision again, from the log alone, and say what differs.

The same build on the same processor gives the same bits; elsewhere odds and scores may differ by 1e-9,
which BLAS and the processor's own functions account for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import orjson

from nba.artefacts import Artefacts
from nba.blobs import unpack
from nba.build import build
from nba.chance import group_of, uniforms
from nba.contact.eligibility import Gatekeeper
from nba.decide import decide
from nba.errors import Gone, NotFound, SchemaMismatch
from nba.live import Live, untrained
from nba.playbook.catalogue import bring
from nba.playbook.compile import parse
from nba.policies.artefact import unseal
from nba.policies.served import UniformPolicy
from nba.record import Grounds, Subject, decision_rows
from nba.stores.ports import DecisionRow, Publication, Store
from nba.trace import brought_of, contacts_of, experiments_of, pool_in, request_of, situation_of
from nba.variants import simple

TOLERANCE = 1e-9
_EXACT = (
    "arm", "action", "channel", "timing", "send_at", "propensity", "group", "policy", "playbook",
    "body", "trace", "eligible", "odds", "values",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A field of the record that came out otherwise: as logged, and as made again."""

    field: str
    logged: str
    again: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """Attributes:
    compared: fields of the record that were compared.
    differences: those that are not the same, bit for bit.
    largest: the largest difference of an odds or a score; NaN where the arms differ in number.
    same_build: whether this is the program and processor type that decided.
    """

    decision_id: str
    compared: tuple[str, ...]
    differences: tuple[Difference, ...]
    largest: float
    same_build: bool

    @property
    def faithful(self) -> bool:
        """The same in every bit or, on another build, the same arm at odds equal to 1e-9."""
        if self.same_build:
            return not self.differences
        drawn = {difference.field for difference in self.differences} & {"arm", "eligible", "group"}
        return not drawn and self.largest <= TOLERANCE


def replay(decision_id: str, store: Store, artefacts: Artefacts) -> Replayed:
    """Raises:
    NotFound: there is no such decision, or what it names is not kept any more.
    Gone: its customer was erased.
    SchemaMismatch: it was logged by a version that did not log what replay needs.
    """
    row = store.decision(decision_id)
    if row is None:
        raise NotFound(f"there is no decision {decision_id}")
    if row.erased:
        raise Gone(f"decision {decision_id} was erased with its customer; nothing is left to make it of")
    trace = orjson.loads(row.trace)
    if "ledger" not in trace:
        raise SchemaMismatch("the decision was logged by a version that kept less; it can't be made again")
    again = _again(row, store, artefacts)
    differences = [
        Difference(field=name, logged=_told(getattr(row, name)), again=_told(getattr(again, name)))
        for name in _EXACT
        if _compared(row, name) != _compared(again, name)
    ]
    return Replayed(
        decision_id=decision_id,
        compared=_EXACT,
        differences=tuple(differences),
        largest=_largest(row, again),
        same_build=trace["build"] == build(),
    )


def _again(row: DecisionRow, store: Store, artefacts: Artefacts) -> DecisionRow:
    """The record of the same decision, made now."""
    trace = orjson.loads(row.trace)
    live = _live(row, trace, store, artefacts)
    gatekeeper = Gatekeeper(live.playbook, pool_in(trace))
    situation = situation_of(row, live.playbook)
    customer_id = store.names([row.surrogate]).get(row.surrogate)
    if customer_id is None:
        raise NotFound("the decision was imported; only the store that made it can make it again")
    draws = uniforms(store.secret, [row.decision_id])
    person = trace.get("person")
    named = customer_id if person is None else store.names([person]).get(person)
    group = group_of(store.secret, named or customer_id, live.playbook.spec.groups)
    rungs = dict(live.ladder)
    names = list(rungs)
    decided = decide(
        gatekeeper,
        situation,
        draws,
        ladder=[rungs[trace["policy"]]] if trace["policy"] in rungs else list(rungs.values()),
        random_policy=UniformPolicy.of(live.playbook),
        at_random=np.array([group == "random_eligible"]),
    )
    rung = names.index(trace["policy"]) if trace["policy"] in rungs else decided.rung
    grounds = Grounds(
        decided=replace(decided, rung=rung),
        situation=situation,
        uniforms=draws,
        live=live,
        gatekeeper=gatekeeper,
        clock=store.clock,
    )
    arm = int(decided.arm[0])
    displacing = bool(decided.verdict.displacing[0, arm])
    subject = Subject(
        request=request_of(row, customer_id),
        surrogate=row.surrogate,
        group=group,
        now=row.decided_at,
        state_version=trace["state_version"],
        contacts=contacts_of(row),
        ignored=orjson.loads(row.body).get("ignored", ()),
        displaces=gatekeeper.displaced(situation, 0, arm, decided.verdict) if displacing else (),
        person=person,
    )
    return decision_rows([subject], grounds)[0]


def _live(row: DecisionRow, trace: dict[str, object], store: Store, artefacts: Artefacts) -> Live:
    """What served: the playbook of the decision and the policy that decided."""
    text = store.playbook(row.playbook)
    if text is None:
        raise NotFound(f"the playbook {row.playbook} of this decision is not kept here")
    playbook = parse(text, source=row.playbook, kept=True)
    experiments, name = experiments_of(row), str(trace["policy"])
    live = replace(
        untrained(playbook),
        fallback=orjson.loads(row.body).get("fallback"),
        experiments=experiments,
        chosen=bool(experiments),
    )
    number = int(name.rpartition("@")[2])
    published = {p.number: p for p in store.audit()}
    if number:
        policy = unseal(artefacts.read(_version(published, number, name)), playbook)
        live = replace(live, policy=policy, policy_name=name, policy_publication=published[number])
    elif experiments:
        live = replace(live, policy=simple(name, playbook), policy_name=name)
    if isinstance(trace["scores"], int):
        live = replace(live, scores_publication=published.get(trace["scores"]))
    brought = brought_of(trace)
    return live.under(bring(playbook, brought)) if brought else live


def _version(published: dict[int, Publication], number: int, name: str) -> str:
    if number not in published:
        raise NotFound(f"the policy {name} of this decision is not among the publications of this store")
    return published[number].version


def _compared(row: DecisionRow, field: str) -> object:
    """A field as it is compared: of the trace only what is computed, not what looked on or by which build."""
    value = getattr(row, field)
    if field == "trace":
        return {k: v for k, v in orjson.loads(value).items() if k not in ("build", "watching")}
    return orjson.loads(value) if field == "body" else value


def _largest(row: DecisionRow, again: DecisionRow) -> float:
    arms, others = len(row.eligible) // 2, len(again.eligible) // 2
    if arms != others:
        return float("nan")
    logged, now = (unpack([one.odds, one.values], arms) for one in (row, again))
    return float(np.abs(logged - now).max())


def _told(value: object) -> str:
    """A value for a person: text as it is, arrays by their length and first numbers."""
    if not isinstance(value, bytes):
        return str(value)
    if value[:1] == b"{":
        return value.decode()
    return f"{len(value)} bytes {value[:16].hex()}…"
