"""The requests of a rollout, as the access logs of pods note them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from ..errors import ClusterUnreachable, DeployError
from .cluster import Cluster, Json
from .pods import proxies
from .product import Split
from .seen import Seen

__all__ = ["PodWitness"]

FLUSH_SECONDS = 10.0
"""Envoy writes its access log out so often (``--file-flush-interval-msec``)."""


class PodWitness:
    """Reads what has come since in the log of each proxy.

    Raises DeployError where there is no proxy, or none whose log can be read: nobody could tell then how a
    new version does.
    """

    def __init__(self, cluster: Cluster, split: Split) -> None:
        self._cluster, self._split = cluster, split
        self.grain, self.lag = split.grain, FLUSH_SECONDS
        self._marks: dict[str, str] = {}
        """Up to when each log is read."""
        found = proxies(cluster, split.pods)
        if not found:
            raise DeployError(
                f"nobody can tell how a canary does: no pod has labels {split.pods.labels or 'of a proxy'}",
                where=cluster.place,
                do="deploy without a canary",
            )
        for proxy, pod in found:
            try:
                lines = self._log(pod, tailLines="1")
            except ClusterUnreachable:
                raise
            except DeployError as error:
                raise DeployError(
                    f"nobody can tell how a canary does: the log of {proxy} cannot be read: {error.what}",
                    where=cluster.place,
                    do="get the right to read pods/log, or deploy without a canary",
                ) from None
            self._marks[proxy.name] = lines[-1][0] if lines else ""

    def read(self) -> Iterator[Seen]:
        """The requests since the last call, of all proxies that answer."""
        for proxy, pod in proxies(self._cluster, self._split.pods):
            mark = self._marks.get(proxy.name, "")
            since = {"sinceTime": _seconds(mark)} if mark else {}
            try:
                lines = self._log(pod, **since)
            except ClusterUnreachable:
                raise
            except DeployError:
                continue  # it has just ended, or has yet to begin
            for at, line in lines:
                if at <= mark:
                    continue
                self._marks[proxy.name] = at
                seen = self._split.read(line)
                if seen is not None:
                    yield seen

    def _log(self, pod: Json, **options: str) -> list[tuple[str, str]]:
        """Times and texts of lines."""
        of = {"container": self._split.pods.container, "timestamps": "true", **options}
        text = self._cluster.pod_text(pod, "/log", "reading the log of", **of)
        found = (line.partition(" ") for line in text.splitlines())
        return [(at, line) for at, _, line in found]


def _seconds(mark: str) -> str:
    """A time as the API takes it: whole seconds, earlier rather than later."""
    return datetime.fromisoformat(mark).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
