"""Real gateways of the web console: ``operator-web`` in a process of its own, on a free port."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx

BIN = Path(sys.executable).parent
START_S = 60.0
STOP_S = 20.0


class RealGateway(NamedTuple):
    """One that runs. ``url`` has no slash at its end."""

    url: str
    token: str
    process: "subprocess.Popen[bytes]"
    directory: Path

    @property
    def address(self) -> str:
        """What a person opens: with the token in the fragment."""
        return f"{self.url}/#token={self.token}"

    @property
    def token_file(self) -> Path:
        return self.directory / "token.json"

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=START_S, **options)

    def post(self, path: str, body: object = None, *, token: str | None = "", **options: Any) -> httpx.Response:
        """With the right token, unless another is given; None sends none."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers.setdefault("Authorization", f"Bearer {token or self.token}")
        return httpx.post(self.url + path, json=body, headers=headers, timeout=START_S * 3, **options)

    def log(self) -> str:
        return (self.directory / "log").read_text()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def start_gateway(directory: Path, *options: str, runtime_dir: Path | None = None) -> RealGateway:
    """Start one with its files in ``directory``, and wait until it listens."""
    directory.mkdir(parents=True, exist_ok=True)
    address_file = directory / "address.json"
    address_file.unlink(missing_ok=True)
    endpoint = ["--endpoint", str(runtime_dir)] if runtime_dir is not None else []
    environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "operator_clients.web", *endpoint, "--port", "0"),
                *("--token-file", str(directory / "token.json"), "--address-file", str(address_file), *options),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # A kubeconfig of whoever runs the tests is none of theirs.
            env={**environment, "HOME": str(directory), "OPERATOR_STATE_DIR": str(directory)},
        )
    until = time.monotonic() + START_S
    while not address_file.exists():
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            process.wait()
            raise AssertionError(f"operator-web did not start: {(directory / 'log').read_text()}")
        time.sleep(0.02)
    url, _, token = json.loads(address_file.read_text())["url"].partition("/#token=")
    return RealGateway(url, token, process, directory)


@contextlib.contextmanager
def running_gateway(directory: Path, *options: str, runtime_dir: Path | None = None) -> Iterator[RealGateway]:
    """One that is stopped at the end, and whose log then has no traceback: that would be a defect, whatever it met."""
    gateway = start_gateway(directory, *options, runtime_dir=runtime_dir)
    try:
        yield gateway
    finally:
        gateway.stop()
        said = gateway.log()
        assert "Traceback" not in said, said
