"""Ask Envoy itself whether it would take a filter, without starting one that serves."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from ..errors import EnvoyRejected
from ..module import Module
from ..plugin import HasPlugin, as_plugin
from . import config
from .binary import find_envoy
from .log import EnvoyLog, filter_lines
from .process import Guarded
from .reasons import reason

__all__ = ["validate"]


def validate(plugin: HasPlugin | Module, *, timeout: float = 30.0) -> None:
    """Let Envoy load the module and run its start and configuration (``envoy --mode validate``).

    Raises EnvoyRejected with Envoy's reason in plain words and the lines that the filter logged, also where
    the filter is not done in ``timeout`` seconds.
    """
    checked = as_plugin(plugin)
    binary = find_envoy()
    directory = Path(tempfile.mkdtemp(prefix="wasmhub-envoy-"))
    log = EnvoyLog()
    try:
        code, bootstrap, output = directory / "filter.wasm", directory / "envoy.json", directory / "log.txt"
        code.write_bytes(checked.module.data)
        chain = [{"name": "filter", "typed_config": config.wasm_filter(checked, code, checked.vm_id)}]
        bootstrap.write_text(json.dumps(config.bootstrap(chain, config.cluster(config.HOST, 1))))
        command = [
            str(binary.path),
            "--mode",
            "validate",
            "-c",
            str(bootstrap),
            "-l",
            "info",
            "--log-format",
            log.format,
        ]
        with output.open("wb") as sink:
            guarded = Guarded(command, directory, stdout=subprocess.DEVNULL, stderr=sink)
            try:
                status = guarded.child.wait(timeout)
            except subprocess.TimeoutExpired:
                raise EnvoyRejected(
                    f"{checked!r} is not configured after {timeout:g} s",
                    where="proxy_on_vm_start or proxy_on_configure",
                    do="look for an endless loop there",
                ) from None
            finally:
                guarded.end()
        log.feed(output.read_bytes())
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if status:
        entries = log.since(0)
        if not entries:
            raise EnvoyRejected(f"Envoy refused {checked!r}", where=f"Envoy says: {log.tail()}")
        raise reason(checked, entries, filter_lines(entries, [(checked, checked.vm_id)]))
