"""An Envoy process on loopback: started, watched, read, and never left behind."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import subprocess
import time
import weakref
from pathlib import Path
from typing import IO, Any

from ..errors import EnvoyError
from .binary import Binary
from .config import HOST, Json
from .log import EnvoyLog
from .patience import Patience
from .pipes import Pipes

__all__ = ["EnvoyProcess", "Guarded"]

ADMIN_SECONDS = 10.0
STOP_SECONDS = 1.0
# A helper in Envoy's own process group waits for the end of its input, which comes when this process ends in
# whatever way, and then removes the files and kills the group. A parent-death signal would not do: it follows
# the thread that made the child.
GUARD = 'read -r _; rm -rf "$1"; kill -9 0'


class Guarded:
    """A command that never outlives this process: with it go its files.

    It runs in a process group of its own, out of reach of Ctrl-C.
    """

    def __init__(
        self, command: list[str], directory: Path, *, stdout: int | IO[bytes], stderr: int | IO[bytes]
    ) -> None:
        try:
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", GUARD, "guard", str(directory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                process_group=0,
            )
        except OSError as error:
            raise EnvoyError(f"Envoy could not be started: {error.strerror}", where="/bin/sh") from None
        try:
            self.child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                bufsize=0,
                process_group=self._guard.pid,
            )
        except BaseException as error:
            self._dismiss()
            if isinstance(error, OSError):
                raise EnvoyError(f"Envoy could not be started: {error.strerror}", where=command[0]) from None
            raise

    def end(self, seconds: float = 0.0) -> None:
        """End the command: by a signal if it is given time, then by force."""
        try:
            if seconds:
                self.child.terminate()
                self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            pass  # a worker in an endless loop never hears the signal
        finally:
            self.child.kill()
            self.child.wait()
            self._dismiss()

    def _dismiss(self) -> None:
        self._guard.kill()
        self._guard.wait()
        if self._guard.stdin is not None:
            self._guard.stdin.close()


class EnvoyProcess:
    """One running Envoy with one worker.

    The directory belongs to it: it is removed when Envoy stops. Raises EnvoyError where Envoy does not start.
    """

    def __init__(
        self,
        binary: Binary,
        bootstrap: Json,
        directory: Path,
        *,
        log_level: str = "info",
        start_timeout: float = 30.0,
    ) -> None:
        self.directory = directory
        self._start_timeout = start_timeout
        config, address = directory / "envoy.json", directory / "admin.txt"
        config.write_text(json.dumps(bootstrap, indent=1))
        self._pipes = pipes = Pipes()
        command = [str(binary.path), "-c", str(config), "--admin-address-path", str(address)]
        command += ["--disable-hot-restart", "--concurrency", "1", "--drain-time-s", "1"]
        command += ["--file-flush-interval-msec", "50", "--file-flush-min-size-kb", "0"]
        command += [
            "-l",
            "warning",
            "--component-log-level",
            f"wasm:{log_level}",
            "--log-format",
            self.log.format,
        ]
        try:
            guarded = Guarded(command, directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        self._child = guarded.child
        self._stop = weakref.finalize(self, _stop, guarded, pipes, directory)
        try:
            pipes.open(guarded.child)
            self.admin_port, self.ports = self._wait(address)
        except BaseException:
            self.stop()
            raise

    @property
    def log(self) -> EnvoyLog:
        """Its log, as far as it has been read."""
        return self._pipes.log

    @property
    def pid(self) -> int:
        """The process id of Envoy, which is also the id of its main thread in the log."""
        return self._child.pid

    @property
    def cpu_ns(self) -> int:
        """Processor time of Envoy's threads so far; 0 where the system does not tell it: only Linux does."""
        used = 0
        for task in Path(f"/proc/{self._child.pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):  # a thread that has just ended
                used += int(task.read_text().split()[0])
        return used

    def patience(self, seconds: float) -> Patience:
        """A wait for so many seconds of Envoy's own time."""
        return Patience(seconds, lambda: self.cpu_ns)

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._stop.alive and self._child.poll() is None

    def ends(self, seconds: float) -> bool:
        """Whether the process has ended, or does within so many seconds."""
        if not self._stop.alive:
            return True
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def drain(self) -> None:
        """Read all that Envoy has written so far."""
        self._pipes.drain()

    def access(self, port: int, deadline: float) -> dict[str, Any]:
        """The access log line of the connection from that client port; empty where none comes in time."""
        return self._pipes.access_line(port, deadline)

    def recent(self, last: int) -> list[dict[str, Any]]:
        """The last lines of the access log, oldest first; at most the last thousand are kept."""
        return self._pipes.recent(last)

    def admin(self, path: str, method: str = "GET", *, timeout: float = ADMIN_SECONDS) -> str:
        """What Envoy's admin interface answers. Raises EnvoyError where it is not 200."""
        connection = http.client.HTTPConnection(HOST, self.admin_port, timeout=timeout)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise EnvoyError(
                f"Envoy's admin interface does not answer: {error}",
                where=path,
                do="start it again"
                if not self.running
                else "a filter may run in an endless loop at configuration",
            ) from None
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise EnvoyError(
                f"Envoy's admin interface answers {response.status}: {body.strip()[:200]}", where=path
            )
        return body

    def stats(self, pattern: str = "", *, timeout: float = ADMIN_SECONDS) -> dict[str, int | str]:
        """Counters, gauges and text readouts whose name matches a regular expression."""
        from urllib.parse import quote

        answer = json.loads(self.admin(f"/stats?format=json&filter={quote(pattern)}", timeout=timeout))
        return {s["name"]: s["value"] for s in answer["stats"] if "name" in s and "value" in s}

    def stop(self) -> None:
        """Stop it, by force if need be, and remove its files; a second call does nothing."""
        self._stop()

    def _wait(self, address: Path) -> tuple[int, dict[str, int]]:
        patience, port = self.patience(self._start_timeout), 0
        while (left := patience.left) > 0:
            if self._child.poll() is not None:
                self.drain()
                raise EnvoyError(
                    f"Envoy ended at its start with exit status {self._child.returncode}",
                    where=self.log.tail(),
                    do="read the reason above",
                )
            if not port and address.exists():
                port = int(address.read_text().rpartition(":")[2] or 0)
            if port and _ready(port, max(0.1, left)):
                self.admin_port = port
                return port, self._listeners()
            time.sleep(0.005)
        self.drain()
        raise EnvoyError(
            f"Envoy is not ready after {patience.passed:.0f} s, "
            f"of which it has worked {self.cpu_ns / 1e9:.0f} s",
            where=self.log.tail(),
            do="look for an endless loop in the filter's start or configuration",
        )

    def _listeners(self) -> dict[str, int]:
        statuses = json.loads(self.admin("/listeners?format=json"))["listener_statuses"]
        return {
            s["name"]: s["local_address"]["socket_address"]["port_value"]
            for s in statuses
            if "socket_address" in s["local_address"]
        }


def _ready(port: int, timeout: float) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(guarded: Guarded, pipes: Pipes, directory: Path) -> None:
    try:
        guarded.end(STOP_SECONDS)
        pipes.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
