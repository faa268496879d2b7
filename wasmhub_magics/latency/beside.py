"""Build against build: filters measured in turns, in one run."""

from __future__ import annotations

from typing import Any, Literal

from ..http import Request
from ..plugin import HasPlugin
from .chain import chain_of
from .comparison import Comparison
from .embedded import measure
from .envoy import measure_envoy

__all__ = ["bench_beside"]


def bench_beside(
    *filters: HasPlugin,
    request: Request | None = None,
    engine: Literal["embedded", "envoy"] = "embedded",
    **options: Any,
) -> Comparison:
    """Measure filters, or builds of one, in turns, so that what disturbs the machine hits all of them alike.

    The first is what the others are compared with. The options are those of ``bench`` or ``bench_envoy``.
    """
    chains = [chain_of(each) for each in filters]
    run = measure_envoy if engine == "envoy" else measure
    return Comparison(run(chains, request, **options))
