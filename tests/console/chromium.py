"""One Chromium for a whole run of the tests: started by us, reached over the DevTools protocol.

Playwright's blocking client keeps an event loop running in the thread that it was started in, and no other test could
use ``asyncio.run`` there any more. So it is started for a module and stopped behind it; the browser itself, which takes
a second to start, stays.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

_WITHOUT_NETLINK = Path(__file__).with_name("without_netlink.py")
_START_S = 60.0
_STOP_S = 10.0
_FLAGS = (
    "--headless",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--mute-audio",
)


def find_chromium() -> str | None:
    """The program, if it is installed; that without windows first, which does the same for a third less."""
    return next(
        (
            found
            for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
            if (found := shutil.which(name))
        ),
        None,
    )


class Chromium:
    """A browser without pages, and where it listens."""

    def __init__(self, program: str, directory: Path) -> None:
        self._directory = directory
        # The sandbox needs user namespaces, and root has none of its own.
        sandbox = ["--no-sandbox"] if os.getuid() == 0 else []
        with (directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    str(_WITHOUT_NETLINK),
                    program,
                    *_FLAGS,
                    *sandbox,
                    f"--user-data-dir={directory / 'profile'}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "HOME": str(directory)},
                start_new_session=True,
            )

    def endpoint(self) -> str:
        """Its DevTools address, once it listens."""
        port_file = self._directory / "profile" / "DevToolsActivePort"
        until = time.monotonic() + _START_S
        while time.monotonic() < until:
            lines = port_file.read_text().split() if port_file.exists() else []
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"chromium did not start: {(self._directory / 'log').read_text()[-2000:]}")

    def end(self) -> None:
        """End it and all that it started."""
        for signum in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, signum)
            except ProcessLookupError:
                break
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                continue
        self._process.wait()
