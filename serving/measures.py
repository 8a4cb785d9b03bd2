"""Every Prometheus metric that there is, by name. `docs/operations.md` says how to read them."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge

from serving.tally import Distribution

_SECONDS = (1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_ROUNDS = (1, 2, 3, 4, 8, 16, 32, 64)
_NATS = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """One worker's; see each for what it says."""

    requests: Counter
    request_seconds: Distribution
    stages: Distribution
    batch: Distribution
    rounds: Distribution
    waiting: Gauge
    decisions: Counter
    entropy: Distribution
    refusals: Counter
    held: Counter
    shadow: Counter
    fallbacks: Counter
    experiments: Counter
    ramp: Gauge
    ignored_features: Counter
    identities: Counter
    tickets: Counter
    tickets_open: Gauge
    tickets_overdue: Gauge
    triggers: Counter
    store_errors: Counter
    breaker: Gauge
    disk_free: Gauge
    artefacts_refused: Counter
    refresh_failures: Counter
    policy: Gauge
    age: Gauge

    @classmethod
    def of(cls, registry: CollectorRegistry) -> Measures:
        """Register all of them."""
        to = _Registering(registry)
        return cls(
            requests=to.counter("nba_http_requests", "Requests answered.", "route", "method", "status"),
            request_seconds=to.spread("nba_http_seconds", "From request to answer.", _SECONDS, "route"),
            stages=to.spread(
                "nba_stage_seconds",
                "Per decision: edge (until it is known what is asked), wait (for the batch before). "
                "Per batch: handle (all of it), and in it fetch, decide, record, commit.",
                _SECONDS,
                "stage",
            ),
            batch=to.spread("nba_commit_size", "Commands in one commit.", _SIZES),
            rounds=to.spread("nba_rounds", "Rounds in one write transaction.", _ROUNDS),
            waiting=to.gauge("nba_commands_waiting", "Not answered yet, seen at each commit.", "livesum"),
            decisions=to.counter("nba_decisions", "Decisions made.", "group", "explored", "contact"),
            entropy=to.spread("nba_odds_entropy", "Entropy of a decision's odds, in nats.", _NATS),
            refusals=to.counter("nba_refusals", "Arms refused, by the rule that did.", "rule"),
            held=to.counter(
                "nba_held", "Held decisions, and those shown since, by action.", "action", "event"
            ),
            shadow=to.counter("nba_shadow", "Whether a policy that looks on agrees.", "policy", "agrees"),
            fallbacks=to.counter("nba_fallbacks", "Decisions not made by the champion.", "reason"),
            experiments=to.counter(
                "nba_experiment_decisions",
                "Decisions for customers in an experiment.",
                "experiment",
                "variant",
            ),
            ramp=to.gauge(
                "nba_ramp_share",
                "Of treatment customers, for whom the policy of a ramp decides; 0 for one that is over.",
                "livemax",
                "policy",
            ),
            ignored_features=to.counter("nba_ignored_features", "Brought features that no learner knows."),
            identities=to.counter(
                "nba_identities", "Claimed identities: linked, or refused since too many share it.", "outcome"
            ),
            tickets=to.counter("nba_tickets", "What became of tickets, by the rule.", "rule", "event"),
            tickets_open=to.gauge("nba_tickets_open", "Tickets that are open or in progress.", "livemax"),
            tickets_overdue=to.gauge("nba_tickets_overdue", "Those of them past their time.", "livemax"),
            triggers=to.counter(
                "nba_triggers", "Decisions that triggers made, or could not.", "trigger", "result"
            ),
            store_errors=to.counter("nba_store_errors", "Batches that the store could not take."),
            breaker=to.gauge("nba_store_down", "Workers whose last batch the store did not take.", "livesum"),
            disk_free=to.gauge("nba_disk_free_bytes", "Room on the store's disk.", "livemin"),
            artefacts_refused=to.counter("nba_artefacts_refused", "Artefacts that were not taken."),
            refresh_failures=to.counter(
                "nba_refresh_failures", "Times that what serves could not be looked up."
            ),
            policy=to.gauge(
                "nba_policy_info",
                "1 for what the worker serves, 0 for what it served.",
                "livemax",
                "worker",
                "policy",
                "playbook",
            ),
            age=to.gauge(
                "nba_policy_age_seconds", "Since the serving policy was published.", "livemax", "worker"
            ),
        )


class _Registering:
    """Makes metrics in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(name, says, labels, registry=self._registry)

    def spread(self, name: str, says: str, buckets: tuple[float, ...], *labels: str) -> Distribution:
        return Distribution(name, says, labels, buckets=buckets, registry=self._registry)

    def gauge(self, name: str, says: str, mode: str, *labels: str) -> Gauge:
        return Gauge(name, says, labels, registry=self._registry, multiprocess_mode=mode)  # type: ignore[arg-type]
