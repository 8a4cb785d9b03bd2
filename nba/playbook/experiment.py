"""The playbook's `experiments` as written: who gets which variant, what is measured, how it is analysed."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from nba.playbook.scalars import FeatureName, Fraction, Moment, Name, Rule, Seconds
from nba.playbook.section import Section

CHANGEABLE = ("actions", "catalogue", "contact", "exploration", "incumbent")
"""Sections that a variant may change: none of them changes features or arms."""


def _policy(value: str) -> str:
    if re.fullmatch(r"champion|own|incumbent|uniform|no_contact|[a-z][a-z0-9_-]*@[1-9][0-9]*", value) is None:
        raise ValueError(
            "must be champion, own, incumbent, uniform, no_contact, or a published policy such as linear@7"
        )
    return value


class Variant(Section):
    """One way to decide, for a share of the experiment's customers in proportion to `weight`.

    `policy`: `champion`; `own`, one that is trained on this variant's customers alone; `incumbent`,
    `uniform` or `no_contact`; or a published one by its name, such as `linear@7`. `change` is merged into
    the playbook: mappings merge, all else replaces. It may change what is in CHANGEABLE, but not add or
    remove actions, channels or timings.
    """

    weight: float = Field(default=1.0, strict=True, gt=0, le=1_000)
    policy: Annotated[str, AfterValidator(_policy)] = "champion"
    change: dict[str, Any] = Field(default_factory=dict)


class Metric(Section):
    """A figure per customer over the experiment's window from first exposure.

    `of` is `net` (earned less contact costs), `earned`, `contact`, or a touchpoint type, which is counted;
    with `per`, another such, the metric is the ratio of the two means. `harm` makes it a guardrail: the
    experiment is told to stop when it is worse by more than this share of control's mean.
    """

    of: FeatureName = "net"
    per: FeatureName | None = None
    better: Literal["more", "less"] = "more"
    harm: Fraction | None = None


class Analysis(Section):
    """How it is analysed. The first of `metrics` is primary; the others share `alpha` by `correction`.

    `always-valid` may be looked at any time and is narrowest about `tuning` customers; `group-sequential`
    has `looks` of equal size up to `customers` in all, spending α·tᵉ (`exponent`); `fixed` is looked at
    once, when `customers` are in.
    """

    method: Literal["always-valid", "group-sequential", "fixed"] = "always-valid"
    alpha: float = Field(default=0.05, strict=True, gt=0, lt=0.5)
    correction: Literal["holm", "bh", "none"] = "holm"
    tuning: float = Field(default=5_000.0, strict=True, gt=0, le=1e9)
    looks: int = Field(default=5, strict=True, ge=1, le=100)
    exponent: float = Field(default=2.0, strict=True, gt=0, le=10)
    customers: int | None = Field(default=None, strict=True, ge=4, le=10**9)

    @model_validator(mode="after")
    def _planned(self) -> Analysis:
        if self.method != "always-valid" and self.customers is None:
            raise ValueError(f"{self.method} needs customers, how many are planned over all variants")
        return self


class Experiment(Section):
    """Treatment customers of a `share` of a `layer`, split by hash over `variants`; the first is control.

    Experiments of one layer share no customer, as long as their shares add up to at most 1; those of
    different layers are independent of each other. `salt`, the name by default, is hashed with the
    customer: a new experiment takes a new one. From `starts` on, for `washout`, nobody is exposed yet.
    A customer's metrics count for `window` from their first exposure; CUPED looks back `before` it.
    `segments` are declared here, before anybody looks, as rules over what is known at exposure.
    """

    name: Name
    layer: Name = "main"
    share: float = Field(default=1.0, strict=True, gt=0, le=1)
    salt: str | None = Field(default=None, min_length=1, max_length=128)
    starts: Moment | None = None
    ends: Moment | None = None
    washout: Seconds | None = None
    window: Seconds = 14 * 86_400.0
    before: Seconds = 28 * 86_400.0
    variants: dict[Name, Variant] = Field(min_length=2)
    metrics: dict[Name, Metric] = Field(default_factory=lambda: {"net": Metric()}, min_length=1)
    segments: dict[Name, Rule] = Field(default_factory=dict)
    analysis: Analysis = Field(default_factory=Analysis)

    @model_validator(mode="after")
    def _times(self) -> Experiment:
        if self.starts is not None and self.ends is not None and self.starts >= self.ends:
            raise ValueError("starts must be before ends")
        if self.washout is not None and self.starts is None:
            raise ValueError("washout is counted from starts; give that too")
        return self

    @property
    def exposes_from(self) -> float:
        """Epoch seconds from which customers are exposed."""
        return float("-inf") if self.starts is None else self.starts.timestamp() + (self.washout or 0.0)

    @property
    def exposes_until(self) -> float:
        return float("inf") if self.ends is None else self.ends.timestamp()
