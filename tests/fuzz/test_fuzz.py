"""Nothing that a filter or a module can say harms the proxy: a seeded sample of what ``make soak`` runs."""

import ctypes
import random

import pytest
from hostile.campaign import Campaign
from hostile.cases import Case, mutated, random_case
from hostile.liar import FUNCTIONS
from hostile.modules import broken, random_module, seeds, tried
from hostile.soak import soak

from wasmhub_magics.errors import HostError

ENDS = {"checked", "complete", "paused", "reset", "LinkError", "MalformedModule", "ModuleError", "StartError"}


def test_programs_of_lying_host_calls_harm_nothing():
    with Campaign("sample", guided=False) as campaign:
        assert list(campaign.run(1500)) == []
        assert campaign.figures.cases == 1500


def test_a_filter_that_writes_into_another_would_be_found(monkeypatch):
    monkeypatch.setattr("hostile.campaign.LOOKS", 1)
    with Campaign("escape", guided=False) as campaign:
        assert list(campaign.run(1)) == []
        worker = campaign._proxy._worker()
        memory = list(worker.chain._vms.values())[1].memory
        ctypes.memset(ctypes.addressof(memory.data_ptr(worker.host.store).contents) + 5000, 7, 1)
        assert [finding.kind for finding in campaign.run(1)] == ["escape"]


def test_a_failure_of_the_host_would_be_found(monkeypatch):
    with Campaign("crash", guided=False) as campaign:
        list(campaign.run(1))

        def fail(*_, **__):
            raise HostError("the host failed: reached unreachable code")

        monkeypatch.setattr(campaign._proxy, "send", fail)
        (finding,) = campaign.run(1)
        assert (finding.kind, "unreachable" in finding.what) == ("crash", True)


def test_the_lying_filter_can_call_every_host_function():
    names = {each.name for each in FUNCTIONS}
    assert {"proxy_log", "proxy_http_call", "proxy_grpc_call", "fd_write", "proxy_get_log_level"} <= names
    assert len(FUNCTIONS) < 255


@pytest.mark.parametrize("number", range(40))
def test_a_random_module_runs_or_is_refused_in_our_words(number):
    assert tried(random_module(random.Random(f"module {number}")), run=True) in ENDS


def test_damaged_modules_are_refused_in_our_words():
    draw = random.Random("damaged")
    known = seeds(draw, 40)
    ends = {tried(broken(draw, draw.choice(known), known), run=number % 50 == 0) for number in range(2000)}
    assert ends <= ENDS
    assert "MalformedModule" in ends


def test_memory_stays_flat_in_every_kind_of_exchange():
    for soaked in soak(60_000):
        assert soaked.memory.verdict in ("flat", "settled"), str(soaked)
        assert soaked.exchanges >= 60_000 * soaked.kind.share // 1000


def test_a_seed_gives_the_same_cases_again():
    def some(seed: str) -> list[Case]:
        draw = random.Random(seed)
        made = [random_case(draw) for _ in range(20)]
        return [mutated(draw, case, made) for case in made]

    assert some("a") == some("a")
    assert some("a") != some("b")
