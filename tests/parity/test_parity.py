"""The embedded proxy does what Envoy does: a seeded sample of random exchanges, and all cases ever found."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from accepted import ACCEPTED
from machine.generate import Generator, cases
from machine.judge import Judge
from machine.model import Case
from machine.tcp import Verdict, connections, played
from machine.tcp_model import Connecting, TcpCase

CONNECTIONS = [
    TcpCase.load(data) for data in json.loads(Path(__file__).with_name("connections.json").read_text())
]
FOUND = [Case.load(data) for data in json.loads(Path(__file__).with_name("cases.json").read_text())]


@pytest.fixture(scope="module")
def judge():
    with Judge() as judge:
        yield judge


def differences(judge: Judge, case: Case) -> list[str]:
    return [
        f"{case.seed} {difference}"
        for verdict in judge.run(case)
        if not any(each.covers(verdict) for each in ACCEPTED)
        for difference in verdict.differences
    ]


def connected(verdicts: Iterable[Verdict]) -> list[str]:
    return [
        f"{each.case.seed} {each.case.about}: {difference}"
        for each in verdicts
        for difference in each.differences
    ]


def test_random_exchanges_do_the_same_in_both_proxies(judge):
    found = [line for case in cases("sample", 300, size=30) for line in differences(judge, case)]
    assert found == []


def test_random_connections_do_the_same_in_both_proxies():
    assert connected(connections("sample", 10)) == []


def test_what_once_differed_in_connections_is_the_same_now():
    assert connected(played(CONNECTIONS)) == []


def test_what_once_differed_is_the_same_now(judge):
    found = [f"{case.about}: {line}" for case in FOUND for line in differences(judge, case)]
    assert found == []


def test_a_seed_gives_the_same_cases_again():
    assert list(cases("again", 80)) == list(cases("again", 80))


def test_a_case_survives_its_way_through_json():
    case = Generator("json").case(20)
    assert Case.load(json.loads(json.dumps(case.data()))) == case


def test_a_case_of_connections_survives_its_way_through_json():
    case = Connecting("json").tcp_case(3)
    assert TcpCase.load(json.loads(json.dumps(case.data()))) == case
