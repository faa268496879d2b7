"""Random exchanges through the embedded proxy and the real Envoy: ``parity: N exchanges, D differences``.

A difference is made small and printed as a case, ready for ``cases.json``. Exit status 1 where there is one.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from accepted import ACCEPTED, ELSEWHERE, LEFT_OUT, NEVER
from machine.coverage import Coverage
from machine.generate import cases
from machine.judge import Judge, Verdict
from machine.model import Case
from machine.shrink import shrink, shrink_tcp
from machine.sound import comparable
from machine.tcp import Verdict as TcpVerdict
from machine.tcp import connections, played
from machine.tcp_model import TcpCase

from wasmhub_magics.envoy.report import Difference

CASES = Path(__file__).with_name("cases.json")
CONNECTIONS = Path(__file__).with_name("connections.json")


def main() -> int:
    """Run as the arguments say; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exchanges", type=int, default=10_000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--connections", type=int, default=200, help="how many TCP cases of four clients")
    parser.add_argument("--shrink", type=int, default=5, help="how many differences to make small")
    parser.add_argument("--write", action="store_true", help="add small cases to those that are kept")
    options = parser.parse_args()

    started = time.monotonic()
    coverage, accepted = Coverage(ELSEWHERE, NEVER), Counter[str]()
    done = found = shrunk = 0
    with Judge() as judge:
        pending = options.exchanges
        batch = 0
        while pending > 0:
            case = next(cases(f"{options.seed}.{batch}", min(40, pending)))
            batch += 1
            for verdict in list(judge.run(case)):  # making one small uses the same Envoy
                if verdict.number is None:
                    coverage.started()
                if verdict.embedded is not None:
                    done += 1
                    pending -= 1
                    coverage.add(verdict.embedded)
                if not verdict.differences:
                    continue
                reason = next((each.reason for each in ACCEPTED if each.covers(verdict)), None)
                if reason is not None:
                    accepted[reason] += 1
                    continue
                found += 1
                where = "start" if verdict.number is None else f"exchange {verdict.number}"
                print(f"case {case.seed}, {where}: {verdict.differences[0]}{how(verdict)}", flush=True)
                if shrunk < options.shrink:
                    shrunk += 1
                    judge.hasty = True
                    small = smaller(judge, case, verdict)
                    judge.hasty = False
                    print(json.dumps(small.data()), flush=True)
                    if options.write:
                        write(CASES, small)
            if time.monotonic() - started > 60 and batch % 25 == 0:
                print(f"... {done} exchanges, {found} differences", flush=True)
    for first in range(0, options.connections, 20):
        many = min(20, options.connections - first)
        for seen in connections(f"{options.seed}.{first}", many):
            done += 1
            coverage.add(seen.embedded)
            if not seen.differences:
                continue
            found += 1
            print(f"case {seen.case.seed}, connection {seen.number}: {seen.differences[0]}", flush=True)
            if shrunk < options.shrink:
                shrunk += 1
                smallest = smaller_tcp(seen)
                print(json.dumps(smallest.data()), flush=True)
                if options.write:
                    write(CONNECTIONS, smallest)
    print(coverage)
    print("left out:", *LEFT_OUT, sep="\n  ")
    for each in ACCEPTED:
        print(f"accepted {accepted[each.reason]} times: {each.reason}")
    print(f"{time.monotonic() - started:.0f} s")
    print(f"parity: {done} exchanges, {found} differences")
    missing = coverage.missing if done >= 5000 else ()
    return 1 if found or missing else 0


def how(verdict: Verdict) -> str:
    """How the exchange went on both sides, for differences that do not come every time."""
    mine, other = verdict.embedded, verdict.real
    if mine is None or other is None:
        return ""
    said = "".join(f"\n  {warning}" for warning in other.warnings)
    return f"\n  ({mine.outcome} {mine.details}; Envoy: {other.outcome} {other.details}){said}"


def smaller(judge: Judge, case: Case, verdict: Verdict) -> Case:
    """The case cut down to what shows the same kind of difference."""
    wanted = kind(verdict.differences[0])
    small = shrink(
        case,
        verdict.number,
        lambda each: (
            comparable(each) and any(kind(d) == wanted for v in judge.run(each) for d in v.differences[:1])
        ),
    )
    return small.replace(about=str(verdict.differences[0]))


def smaller_tcp(verdict: TcpVerdict) -> TcpCase:
    """The same for a connection."""
    wanted = kind(verdict.differences[0])

    def first(many: list[TcpCase]) -> TcpCase | None:
        for start in range(0, len(many), 20):  # so many listeners an Envoy
            for seen in played(many[start : start + 20]):
                if any(kind(each) == wanted for each in seen.differences[:1]):
                    return seen.case
        return None

    return replace(shrink_tcp(verdict.case, verdict.number, first), about=str(verdict.differences[0]))


def kind(difference: Difference) -> tuple[str, ...]:
    """What tells a difference from another one: the field and, in the log, what either side was at."""
    field = re.sub(r"\d+", "#", difference.field)
    if not field.startswith("log line"):
        return (field,)
    return (field, *(_step(line) for line in (difference.embedded, difference.envoy)))


def _step(line: str) -> str:
    words = re.sub(r"^\[\w+\] ", "", line).split()
    if words[:1] == ["=="]:
        return words[2]
    return " ".join(words[:2]) if words and words[0].startswith("prop") else "".join(words[:1])


def write(path: Path, case: Case | TcpCase) -> None:
    """Add a case to the file of those that are tested for ever."""
    kept = json.loads(path.read_text()) if path.exists() else []
    kept.append(case.data())
    path.write_text("[\n" + ",\n".join(json.dumps(each) for each in kept) + "\n]\n")


if __name__ == "__main__":
    sys.exit(main())
