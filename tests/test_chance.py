"""Chance: uniform, the same for the same id, and groups that stick."""

from __future__ import annotations

import hashlib
import hmac
import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, kstest

from nba.chance import group_of, uniforms
from nba.playbook.schema import Groups

SECRET = b"a secret of the store"
CUSTOMERS = [f"customer-{i}" for i in range(20_000)]


def groups(holdout: float, random_eligible: float) -> Groups:
    return Groups(holdout=holdout, random_eligible=random_eligible)


def test_the_shares_of_the_groups_are_those_of_the_playbook() -> None:
    """20,000 customers, a fixed secret; a right share fails at one in a million for each of four."""
    for shares in (groups(0.05, 0.05), groups(0.2, 0.01)):
        assigned = [group_of(SECRET, customer, shares) for customer in CUSTOMERS]
        for name, share in (("holdout", shares.holdout), ("random_eligible", shares.random_eligible)):
            assert binomtest(assigned.count(name), len(CUSTOMERS), share).pvalue > 1e-6


def test_draws_are_uniform_and_those_of_neighbouring_ids_tell_nothing_of_each_other() -> None:
    """20,000 ids, a fixed secret; right draws fail at one in a million for each of two."""
    u = uniforms(SECRET, CUSTOMERS)
    assert ((u >= 0) & (u < 1)).all()
    assert kstest(u, "uniform").pvalue > 1e-6
    correlation = float(np.corrcoef(u[:-1], u[1:])[0, 1])
    assert abs(correlation) * np.sqrt(len(u)) < 4.9


def test_a_group_tells_nothing_of_the_draws() -> None:
    """1,000 customers or so of the holdout; their draws fail to be uniform at one in a million."""
    held = [c for c in CUSTOMERS if group_of(SECRET, c, groups(0.05, 0.05)) == "holdout"]
    assert kstest(uniforms(SECRET, held), "uniform").pvalue > 1e-6


def test_a_uniform_is_the_first_53_bits_of_the_hmac() -> None:
    digest = hmac.new(SECRET, b"draw:d-1", hashlib.sha256).digest()
    assert uniforms(SECRET, ["d-1"])[0] == (int.from_bytes(digest[:7], "big") >> 3) / 2**53


def test_no_ids_have_no_uniforms() -> None:
    assert uniforms(SECRET, []).shape == (0,)


def test_the_secret_the_salt_and_the_id_each_make_another_number() -> None:
    numbers = [
        uniforms(SECRET, ["a"])[0],
        uniforms(b"another", ["a"])[0],
        uniforms(SECRET, ["a"], salt="ramp")[0],
        uniforms(SECRET, ["b"])[0],
    ]
    assert len(set(numbers)) == 4


def test_a_number_is_the_same_in_another_process() -> None:
    code = f"from nba.chance import uniforms; print(uniforms({SECRET!r}, ['d-1'])[0].hex())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == uniforms(SECRET, ["d-1"])[0].hex()


def test_one_alone_has_the_number_it_has_among_others() -> None:
    together = uniforms(SECRET, CUSTOMERS[:100])
    assert together.tolist() == [uniforms(SECRET, [c])[0] for c in CUSTOMERS[:100]]


share = st.floats(0, 0.49)


@given(share, share, share)
def test_growing_the_holdout_moves_customers_into_it_and_nobody_between_the_others(
    one: float, two: float, random_eligible: float
) -> None:
    small, large = groups(min(one, two), random_eligible), groups(max(one, two), random_eligible)
    for customer in CUSTOMERS[:200]:
        before, after = group_of(SECRET, customer, small), group_of(SECRET, customer, large)
        assert after == before or after == "holdout"


@given(share, share, share)
def test_growing_the_random_share_moves_customers_into_it_and_nobody_out_of_the_holdout(
    one: float, two: float, holdout: float
) -> None:
    small, large = groups(holdout, min(one, two)), groups(holdout, max(one, two))
    for customer in CUSTOMERS[:200]:
        before, after = group_of(SECRET, customer, small), group_of(SECRET, customer, large)
        assert after == before or (before, after) == ("treatment", "random_eligible")


def test_with_no_shares_everybody_is_treated() -> None:
    assert {group_of(SECRET, customer, groups(0, 0)) for customer in CUSTOMERS[:1_000]} == {"treatment"}
