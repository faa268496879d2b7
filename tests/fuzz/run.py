"""Hostile modules, lying filters and millions of exchanges: prints what was tried and what came of it.

    python tests/fuzz/run.py [--cases 1000000] [--exchanges 10000000] [--seed 1]

Exit status 1 where anything crashed, hung, escaped or grew.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from hostile.campaign import Campaign, Figures  # noqa: E402
from hostile.modules import broken, random_module, seeds, tried  # noqa: E402
from hostile.soak import soak  # noqa: E402

HOST_SHARE, LOADER_SHARE, BROKEN_SHARE = 0.6, 0.25, 0.145
"""Of all cases: programs of host calls, bytes for the loader; the rest are modules that run."""
STEP = 50_000
"""Programs of one campaign: what it keeps is slower the longer it looks, and another one looks elsewhere."""


def main() -> int:
    """Run as the arguments say; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--exchanges", type=int, default=10_000_000)
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    started = time.monotonic()
    wrong = 0
    tried_in_all = 0
    for part in (loader, damaged, whole, host_functions):
        count, bad = part(options.cases, options.seed)
        tried_in_all += count
        wrong += bad
    grown = 0
    done = 0
    for soaked in soak(options.exchanges, lambda each: print(f"soak: {each}", flush=True)):
        done += soaked.exchanges
        grown += soaked.memory.verdict == "growing"
    print(f"{time.monotonic() - started:.0f} s")
    print(f"hostile: {tried_in_all:,} cases, {wrong} crashes, hangs or escapes")
    print(f"soak: {done:,} exchanges, {'memory is flat' if not grown else f'{grown} kinds grow'}")
    return 1 if wrong or grown else 0


def host_functions(cases: int, seed: str) -> tuple[int, int]:
    """Programs of host calls with lying arguments, guided by the counters in the host's blocks."""
    left = int(cases * HOST_SHARE)
    whole, campaigns = Figures(), 0
    while left > 0:
        with Campaign(f"host {seed} {campaigns}") as campaign:
            for finding in campaign.run(min(STEP, left)):
                print(f"{finding.kind}: {finding.what}\n  {finding.case}", flush=True)
            whole += campaign.figures
        campaigns += 1
        left -= campaign.figures.cases
        print(f"... {whole.cases:,} programs, {len(whole.findings)} findings", flush=True)
    print(
        f"host functions and decoders: {whole.cases:,} programs in {campaigns} campaigns, "
        f"{whole.traps:,} traps of the filter, {whole.reached:,} of {whole.blocks:,} blocks reached by one, "
        f"{whole.corpus:,} programs kept, slowest {whole.slowest * 1000:.0f} ms, "
        f"{len(whole.findings)} findings",
        flush=True,
    )
    return whole.cases, len(whole.findings)


def loader(cases: int, seed: str) -> tuple[int, int]:
    """The module loader under atheris, guided by the branches of its Python code."""
    count = int(cases * LOADER_SHARE)
    number = random.Random(f"loader {seed}").randrange(1 << 30)
    command = [sys.executable, str(HERE / "loader.py"), str(number), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    runs = re.search(r"Done (\d+) runs", done.stderr)
    covered = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", done.stderr)
    if done.returncode or runs is None:
        print(f"loader: {done.stderr[-3000:]}", flush=True)
    branches, _, kept = covered[-1] if covered else ("?", "?", "?")
    print(f"module loader: {count:,} modules of bytes, {branches} branches reached, {kept} kept", flush=True)
    return int(runs[1]) if runs else 0, int(done.returncode != 0)


def damaged(cases: int, seed: str) -> tuple[int, int]:
    """Modules with changed bytes, some of which still run."""
    draw = random.Random(f"damaged {seed}")
    known = seeds(draw, 300)
    return _modules(
        "damaged modules",
        int(cases * BROKEN_SHARE),
        lambda number: tried(broken(draw, draw.choice(known), known), run=number % 50 == 0),
    )


def whole(cases: int, seed: str) -> tuple[int, int]:
    """Valid modules with lying arguments, started and sent a request."""
    draw = random.Random(f"whole {seed}")
    count = cases - sum(int(cases * share) for share in (HOST_SHARE, LOADER_SHARE, BROKEN_SHARE))
    return _modules("random modules", count, lambda _: tried(random_module(draw), run=True))


def _modules(title: str, count: int, one: object) -> tuple[int, int]:
    assert callable(one)
    ends: Counter[str] = Counter()
    wrong = 0
    for number in range(count):
        try:
            ends[one(number)] += 1
        except Exception as error:  # none but ours may come
            wrong += 1
            print(f"{title} {number}: {type(error).__name__}: {error}", flush=True)
    wrong += ends["HostError"]
    print(f"{title}: {count:,}, {', '.join(f'{n:,} {name}' for name, n in ends.most_common())}", flush=True)
    return count, wrong


if __name__ == "__main__":
    sys.exit(main())
