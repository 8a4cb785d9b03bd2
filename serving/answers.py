"""What we answer, as pydantic models: for the OpenAPI document only. Answers are built as bytes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from serving.schemas import Id, Status


class Told(BaseModel):
    """The ground of all models here."""

    model_config = ConfigDict(frozen=True)


class Alternative(Told):
    """One eligible arm: its odds, what the model expects of it, the playbook's lever, and both together."""

    arm: str
    odds: float
    score: float | None
    lever: float | None = None
    value: float | None = None


class Decision(Told):
    """One arm drawn for one customer. `no_contact` has null channel, timing, send_at and purpose."""

    decision_id: Id
    customer_id: Id
    decided_at: str = Field(json_schema_extra={"format": "date-time"})
    action: str
    channel: str | None
    timing: str | None
    send_at: str | None = Field(json_schema_extra={"format": "date-time"})
    purpose: str | None
    propensity: float = Field(gt=0, le=1, description="The odds at which this arm was drawn.")
    expected_value: float | None = Field(description="In the playbook's currency, net of costs.")
    explored: bool
    group: str = Field(description="treatment, holdout or random_eligible.")
    policy: str = Field(description="linear@7; number 0 is what serves with nothing trained.")
    playbook: str
    stage: str | None
    segment: str | None = Field(default=None, description="By name, where a segment model serves.")
    scores: dict[str, float]
    experiment: dict[str, str] | None = Field(description="Experiment → variant, where it is in any.")
    reason: str | None = Field(default=None, description="The rule, where nothing else was eligible.")
    retry_at: str | None = Field(default=None, json_schema_extra={"format": "date-time"})
    ignored: list[str] | None = Field(
        default=None,
        description="Context keys that the playbook doesn't declare, and features of brought actions that "
        "the learner doesn't know, as `actions.features.<name>`; at most 50.",
    )
    fallback: str | None = Field(
        default=None,
        description="Why something else than the champion decided: untrained, refused or failed.",
    )
    displaced: list[Id] | None = Field(
        default=None, description="Decisions whose contact gives way to this one; the outbox tells of each."
    )
    refused: dict[str, str] | None = Field(default=None, description="With explain: arm → reason.")
    alternatives: list[Alternative] | None = Field(default=None, description="With explain.")
    contributions: dict[str, float] | None = Field(default=None, description="With explain: feature → value.")
    best: str | None = Field(default=None, description="With explain: what would be taken without exploring.")


class TracedDecision(Decision):
    """A decision's answer and what it rested on: funnel, refusals, scores, odds, features, versions."""

    trace: dict[str, Any]


class WrongField(Told):
    """The field's path, such as `actions[2]`, and what is wrong with it."""

    field: str
    detail: str


class ProblemDocument(Told):
    """RFC 9457. Never repeats a value that was sent."""

    type: str = Field(json_schema_extra={"format": "uri-reference"})
    title: str
    status: int
    detail: str
    errors: list[WrongField] | None = None


class Answers(Told):
    """In the order of the request; an item that failed is a problem, told by its `status`."""

    answers: list[Decision | ProblemDocument]


class RejectedItem(Told):
    """An item that was not taken: its place, its id where that is one, and why."""

    index: int
    id: str | None
    detail: str


class ReceiptOut(Told):
    """What became of the items. `accepted` and `duplicates` are counts."""

    accepted: int
    duplicates: int
    rejected: list[RejectedItem]


class PublishedScores(Told):
    """Models that serve beside the policy: propensity and churn, or segments."""

    specification: str
    number: int
    artefact: str
    serving_since: str = Field(json_schema_extra={"format": "date-time"})


class RampOut(Told):
    """A policy that decides for a share of treatment customers, by hash."""

    policy: str
    share: float
    since: str = Field(json_schema_extra={"format": "date-time"}, description="Of this share.")


class VariantOut(Told):
    """Who decides for the customers of a variant, and its weight among the others of its experiment."""

    policy: str
    weight: float


class ExperimentOut(Told):
    """An experiment that exposes customers, and its variants; the first is control."""

    layer: str
    share: float
    exposes_from: str | None = Field(json_schema_extra={"format": "date-time"})
    exposes_until: str | None = Field(json_schema_extra={"format": "date-time"})
    variants: dict[str, VariantOut]


class PolicyOut(Told):
    """What serves. Number, artefact and moments are null while nothing trained is published."""

    policy: str
    playbook: str
    mode: str = Field(description="autopilot, or apprentice: the playbook's own rules decide.")
    watching: list[str] = Field(description="Policies that look on: asked at every decision, changing none.")
    trained_through: str | None = Field(json_schema_extra={"format": "date-time"})
    specification: str
    number: int | None
    artefact: str | None = Field(description="SHA-256.")
    serving_since: str | None = Field(json_schema_extra={"format": "date-time"})
    scores: PublishedScores | None
    segments: PublishedScores | None = Field(description="The segment model, where one serves.")
    refused: dict[str, str] = Field(
        description="Kind → why what is published of it can't be used, so that the last good one is, or none."
    )
    ramp: RampOut | None
    experiments: dict[str, ExperimentOut] = Field(
        description="Those that run now; on the request clock, where no moment is now, all."
    )


class TicketEvent(Told):
    """What a ticket came of."""

    type: str
    id: str


class TicketOut(Told):
    """A ticket. While it is open or in progress, `open_tickets` counts it."""

    ticket_id: Id
    customer_id: Id | None
    rule: str | None = Field(description="The playbook's rule that opened it; null where somebody did.")
    reason: str
    event: TicketEvent | None
    status: Status
    queue: str | None
    owner: str | None
    opened_at: str = Field(json_schema_extra={"format": "date-time"})
    due_at: str = Field(json_schema_extra={"format": "date-time"})
    changed_at: str = Field(json_schema_extra={"format": "date-time"})
    closed_at: str | None = Field(json_schema_extra={"format": "date-time"})
    in_time: bool | None = Field(description="Null while it is not settled.")
    version: int


class TicketChangeOut(Told):
    """One change: who did what, and what they noted."""

    version: int
    at: str = Field(json_schema_extra={"format": "date-time"})
    who: str
    what: dict[str, Any]
    note: str | None


class TicketWithHistory(TicketOut):
    """A ticket and all that became of it, oldest first."""

    history: list[TicketChangeOut]


class TicketsOut(Told):
    """Oldest first; pass `next` as `after` for more. Null where there are none."""

    tickets: list[TicketOut]
    next: str | None


class Message(Told):
    """Something that the orchestrator must do or know. `id` tells a message that was pulled twice."""

    number: int
    id: str
    type: str = Field(description="decision.displaced, …")
    at: str = Field(json_schema_extra={"format": "date-time"})
    customer_id: str | None
    decision_id: str | None
    data: dict[str, Any]


class Outbox(Told):
    """Messages in order; pass `next` as `after` once they are dealt with."""

    messages: list[Message]
    next: int


class Disk(Told):
    """Room on the store's disk; `free_bytes` is null where it can't be known from here."""

    free_bytes: int | None
    low: bool


class Alive(Told):
    """The process answers."""

    status: str


class Ready(Told):
    """This worker can decide, under these versions."""

    status: str
    policy: str
    playbook: str
    refused: dict[str, str] = Field(description="Kind → why what is published of it can't be used here.")
    worker: int
    disk: Disk
