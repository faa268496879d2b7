"""The module loader under atheris: coverage-guided bytes, of which only errors of ours may come.

python tests/fuzz/loader.py SEED RUNS
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import atheris

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

with atheris.instrument_imports(include=["wasmhub_magics"]):
    from wasmhub_magics.binary import Contents  # noqa: F401
    from wasmhub_magics.errors import WasmhubError
    from wasmhub_magics.module import Module

from hostile.modules import seeds  # noqa: E402


def load(data: bytes) -> None:
    """Look at all that a module says of itself."""
    try:
        module = Module(data)
        _ = module.imports, module.exports, module.abi, module.digest, module.hollow()
        module.check()
    except WasmhubError:
        pass


def main() -> None:
    """Run."""
    seed, runs = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as corpus:
        for number, data in enumerate(seeds(random.Random(seed), 200)):
            Path(corpus, str(number)).write_bytes(data)
        options = [f"-runs={runs}", f"-seed={int(seed) + 1}", "-max_len=4096", "-timeout=20", "-verbosity=1"]
        atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={corpus}/", corpus], load)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
