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
from wasmhub_magics.proxy.engine import owner

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


def test_a_filter_that_opens_streams_for_ever_holds_nobody_up():
    pairs = (
        b"\4\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0\1\0\0\0\6\0\0\0"
        b"\1\0\0\0X-B\0\0\0\0:path\x001\0c\2okie\x001\0"
    )
    number = {each.name: place for place, each in enumerate(FUNCTIONS, 1)}
    calls = (
        (number["proxy_grpc_call"], 4231, 4, 24588, 40, 24588, 40, 4603, 13, 4551, 22, 2, 256),
        (number["proxy_grpc_stream"], 5138, 4, 5012, 8, 24576, 4, 24576, 200, 256),
        (number["clock_res_get"], 0, 9),
        (0, 3),
    )
    with Campaign("streams", guided=False) as campaign:
        list(campaign.run(1))
        case = Case(calls, pairs, (0, 262142), request=1, response=2)
        assert owner.run(lambda: campaign.play(case)) is None


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
