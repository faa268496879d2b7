"""The servers of these tests end with the tests, even where those are killed."""

import subprocess
import sys
import time
from pathlib import Path


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_server_ends_with_a_run_that_is_killed(tmp_path):
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path\n"
        "from servers.child import spawn\n"
        f"print(spawn(['sleep', '600'], Path({str(tmp_path / 'log')!r})).pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        pid = int(run.stdout.readline())
        while Path(f"/proc/{pid}/exe").readlink().name != "sleep":
            time.sleep(0.01)
        run.kill()
        run.wait()
    deadline = time.monotonic() + 20
    while alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
