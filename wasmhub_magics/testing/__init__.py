"""Cases: requests with what is expected of the answer; and what clients see when a filter fails."""

from __future__ import annotations

from .case import Case, Expectation
from .fault import Fault, faulty
from .memory import Memory, Remembered, build_key
from .result import CaseResult, Miss, Results
from .run import run_case, run_cases
from .simulation import Simulation, simulate
from .suite import Suite, read_suite

__all__ = [
    "Case",
    "CaseResult",
    "Expectation",
    "Fault",
    "Memory",
    "Miss",
    "Remembered",
    "Results",
    "Simulation",
    "Suite",
    "build_key",
    "faulty",
    "read_suite",
    "run_case",
    "run_cases",
    "simulate",
]
