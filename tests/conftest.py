"""What holds for every test: nothing is skipped unless it stands here with its reason."""

from __future__ import annotations

import signal

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in its background so; programs that tests start and interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

ALLOWED_SKIPS: dict[str, str] = {}
"""Test id to reason: what cannot run on every machine. Any other skip fails the run."""

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what was skipped, and was not meant to be."""
    if report.skipped and report.nodeid not in ALLOWED_SKIPS:
        _skipped.append(f"{report.nodeid}: {report.longrepr}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run where a test was skipped: a part that is missing must not hide."""
    if _skipped and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name them."""
    for line in _skipped:
        terminalreporter.write_line(f"skipped without leave: {line}", red=True)
