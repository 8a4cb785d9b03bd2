"""The report in plain words: the same figures give the same sentences, and each trouble is named."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from experiments.ope import Estimate, LoggedBatch, diagnostics, estimate, trust
from experiments.ope.overlap import Heavy
from nba.errors import NotEnoughData


@pytest.fixture
def sound(world: Any) -> LoggedBatch:
    """Seed 5, 6,000 rows of a log that carries the target."""
    drawn = world.log(np.random.default_rng(5), 6_000)
    return replace(drawn, logging=world.logging[world.context(drawn)])


def answers(batch: LoggedBatch) -> dict[str, Estimate | NotEnoughData]:
    return {name: estimate(name, batch) for name in ("ips", "snips", "dr")}


def topics(found: Any) -> dict[str, str]:
    return {finding.topic: finding.belief for finding in found.findings}


def test_a_sound_log_is_believed(sound: LoggedBatch) -> None:
    found = trust("champion", diagnostics(sound), answers(sound))
    assert found.belief == "believe"
    text = found.to_text()
    assert text.startswith("champion: believe it: nothing that was looked at speaks against the interval.\n")
    assert "  + Every arm that the policy uses was logged.\n" in text
    assert "Arms were drawn as often as their odds say (p = " in text
    assert json.loads(json.dumps(found.to_json()))["belief"] == "believe"
    assert trust("champion", diagnostics(sound), answers(sound)) == found


def test_wrong_odds_are_not_believed_and_the_arm_is_named(sound: LoggedBatch) -> None:
    lied = np.asarray(sound.logging)[:, ::-1].copy()
    wrong = replace(sound, logging=lied, propensity=lied[np.arange(6_000), sound.arm])
    found = trust("x", diagnostics(wrong), answers(wrong), ["none", "a", "b", "c", "d", "e"])
    assert found.belief == "don't believe"
    assert topics(found)["logged odds"] == "don't believe"
    assert "were due" in found.to_text()
    assert found.findings[0].belief == "don't believe"


def test_arms_that_were_never_logged_weigh_by_the_odds_on_them(sound: LoggedBatch) -> None:
    shown = diagnostics(sound)
    for share, belief in ((0.005, "believe"), (0.05, "with care"), (0.5, "don't believe")):
        found = trust(
            "x", replace(shown, unsupported=(1, 2), unsupported_share=share), answers(sound), list("abcdef")
        )
        assert topics(found)["arms never logged"] == belief
        assert "never logged: b, c." in found.to_text()


@pytest.mark.parametrize(
    ("change", "topic", "belief"),
    [
        ({"effective_n": 30.0}, "small effective sample", "with care"),
        ({"n_psi": 5.0}, "few customers decide", "with care"),
        ({"heaviest": (Heavy(row=7, customer=7, weight=50.0, share=0.4),)}, "one customer", "with care"),
        ({"mean_weight": 1.4, "weight_stderr": 0.1}, "mean weight", "with care"),
        ({"mean_weight": 1.6, "weight_stderr": 0.1}, "mean weight", "don't believe"),
        ({"refused_share": 0.2}, "arms without odds", "don't believe"),
        ({"refused_share": 0.02}, "arms without odds", "with care"),
        ({"clipped_share": 0.1, "clipped_weight": 0.3}, "large weights", "believe"),
    ],
)
def test_each_trouble_has_its_sentence(
    sound: LoggedBatch, change: dict[str, Any], topic: str, belief: str
) -> None:
    found = trust("x", replace(diagnostics(sound), **change), answers(sound))
    assert topics(found)[topic] == belief
    assert found.belief == belief
    (finding,) = (f for f in found.findings if f.topic == topic)
    assert bool(finding.do) == (belief != "believe")


def test_refusals_are_told_with_their_reason(sound: LoggedBatch) -> None:
    shown, none = diagnostics(sound), NotEnoughData("dr: one customer makes up the spread", {"n": 3.0})
    some = trust("x", shown, {**answers(sound), "dr": none})
    assert some.belief == "with care"
    assert "Not every estimator has an answer: one customer makes up the spread (n 3)." in some.to_text()
    every = trust("x", shown, {"dr": none})
    assert every.belief == "don't believe"
    assert every.summary == "don't believe it, because of: too little data."


def test_estimators_that_disagree_are_told_apart(sound: LoggedBatch) -> None:
    found = answers(sound)
    one = found["ips"]
    assert isinstance(one, Estimate)
    found["mips"] = replace(one, value=one.value + 1, low=one.low + 1, high=one.high + 1)
    told = trust("x", diagnostics(sound), found)
    assert topics(told)["disagreement"] == "with care"
    assert "their intervals are apart" in told.to_text()
    model = trust("x", diagnostics(sound), {"ips": one, "dm": found["mips"]})
    assert model.belief == "believe", "dm claims no coverage"
