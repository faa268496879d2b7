"""How sure a rollout is: chance takes no version back, and a worse one is found."""

import random

import pytest

from wasmhub_magics.deploy.bounds import difference, median, share
from wasmhub_magics.deploy.rollout import Arm, Rules, failing, slower

STEPS, RUNS = 60, 200


def told(seed, old, new, rules, each=20):
    """Whether a rollout with these true shares of failures ends early, looked at again and again."""
    dice = random.Random(seed)
    stable, canary, requests = 0, 0, 0
    for _ in range(STEPS):
        requests += each
        stable += sum(dice.random() < old for _ in range(each))
        canary += sum(dice.random() < new for _ in range(each))
        if failing(Arm(requests, stable), Arm(requests, canary), rules):
            return True
    return False


def test_versions_that_fail_alike_are_hardly_ever_told_apart():
    rules = Rules(errors=0.0)
    assert sum(told(seed, 0.05, 0.05, rules) for seed in range(RUNS)) <= RUNS * 0.02


def test_a_version_that_fails_more_is_found():
    assert all(told(seed, 0.01, 0.15, Rules()) for seed in range(20))


def test_one_failure_among_few_requests_is_no_proof():
    assert not failing(Arm(100, 0), Arm(3, 1), Rules())
    assert not failing(Arm(100, 0), Arm(20, 1), Rules())
    assert failing(Arm(100, 0), Arm(20, 10), Rules())


def test_a_median_is_compared_by_its_bounds():
    fast, slow = tuple(range(1000, 1100)), tuple(range(2000, 2100))
    assert slower(Arm(100, 0, fast), Arm(100, 0, slow), Rules())
    assert not slower(Arm(100, 0, fast), Arm(8, 0, slow[:8]), Rules())  # too few for any bound
    assert not slower(Arm(100, 0, slow), Arm(100, 0, fast), Rules())
    low, high = median(fast)
    assert low < 1050 < high


@pytest.mark.parametrize(("hits", "count"), [(0, 0), (0, 10), (10, 10), (3, 10), (300, 1000)])
def test_bounds_hold_what_was_seen(hits, count):
    low, high = share(hits, count)
    assert 0 <= low <= high <= 1
    if count:
        assert low <= hits / count <= high
    assert difference((hits, count), (hits, count))[0] <= 0 <= difference((hits, count), (hits, count))[1]
