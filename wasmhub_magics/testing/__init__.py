"""Cases: requests with what is expected of the answer; and what clients see when a filter fails."""

from __future__ import annotations

from .case import Case, Expectation
from .fault import Fault, faulty
from .result import CaseResult, Miss, Results
from .run import run_case, run_cases
from .simulation import Simulation, simulate
from .suite import Suite, read_suite

__all__ = [
    "Case",
    "CaseResult",
    "Expectation",
    "Fault",
    "Miss",
    "Results",
    "Simulation",
    "Suite",
    "faulty",
    "read_suite",
    "run_case",
    "run_cases",
    "simulate",
]
