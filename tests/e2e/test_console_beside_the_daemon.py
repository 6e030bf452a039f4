"""The web console as a process of the daemon: started, told where, started again, gone with it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from .real_daemon import RealDaemon, alive, until


def _address(daemon: RealDaemon) -> tuple[str, str]:
    """URL and token, once it listens."""
    file = daemon.runtime_dir / "console.json"
    until(file.exists, "the console's address", 60)
    told: dict[str, Any] = json.loads(file.read_text())
    url, _, token = told["url"].partition("/#token=")
    return url, token


def test_the_console_runs_beside_the_daemon_comes_back_when_killed_and_ends_with_it(
    stopped_daemon: RealDaemon,
) -> None:
    daemon = stopped_daemon
    daemon.start("--console", "0")
    url, token = _address(daemon)
    assert (daemon.runtime_dir / "console.json").stat().st_mode & 0o077 == 0
    until(lambda: httpx.get(f"{url}/readyz", timeout=30).status_code == 200, "the gateway to follow the daemon")
    answer = httpx.post(f"{url}/api/session", headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert answer.status_code == 204
    first = daemon.pid("console")
    os.kill(first, signal.SIGKILL)
    until(lambda: daemon.process("console")["pid"] not in (None, first), "another gateway")
    until(lambda: daemon.process("console")["state"] == "ready", "it to be ready", 60)
    again, _ = _address(daemon)
    assert again == url  # open pages find it where it was
    pid = daemon.pid("console")
    assert url in daemon.ctl("logs", "console", check=True).stdout
    daemon.stop()
    assert not alive(pid)
    assert not (daemon.runtime_dir / "console.json").exists()
    assert f"the web console is at {url}" in (daemon.state_dir / "operatord.log").read_text()
    files = [path for path in daemon.state_dir.rglob("*") if path.is_file() and path.name != "web-token.json"]
    assert not [path for path in files if token.encode() in path.read_bytes()]


def test_without_the_extra_the_daemon_says_so_and_runs(stopped_daemon: RealDaemon, tmp_path: Path) -> None:
    # What is not installed, seen from the daemon: its interpreter cannot find one of the libraries.
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, package=None: None if name == 'fastapi' else find(name, package)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "operatord", "start", "--detach", "--console", *stopped_daemon.directories],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "pip install 'operatord[web]'" in done.stderr
    assert "console" not in [one["name"] for one in stopped_daemon.status()["processes"]]
