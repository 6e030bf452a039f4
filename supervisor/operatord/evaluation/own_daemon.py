"""A daemon for trials alone: sockets, state and configuration of its own, nothing of it left when it has stopped."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from operator_protocol.endpoint import Endpoint, runtime_endpoint
from operator_protocol.errors import OperatorError, Unavailable, error_from_wire
from operatord.evaluation.campaign import Variant
from operatord.faults.undo_journal import read_owed

_STOP_S = 60.0
_START_S = 120.0


class AgentChoice(NamedTuple):
    """Section ``[agent]`` of a daemon's configuration, as far as variants differ in it."""

    diagnoser: str
    autonomy: str
    execute_up_to: str
    model: str
    effort: str

    @classmethod
    def of(cls, variant: Variant) -> "AgentChoice":
        """What ``variant`` needs. A baseline has an agent that only looks, whose answers nobody reads."""
        if variant.diagnoser == "none":
            return cls("rules", "observe", "safe", "", "")
        return cls(variant.diagnoser, variant.autonomy, variant.execute_up_to, variant.model, variant.effort or "")

    def toml(self) -> str:
        """The section. Limits that would carry over from one trial to the next are off."""
        told = {key: value for key, value in self._asdict().items() if value}
        # A string of JSON is one of TOML.
        lines = [f"{key} = {json.dumps(value)}" for key, value in told.items()]
        return "\n".join(["[agent]", *lines, "cooldown_s = 0", "actions_per_minute = 600", ""])


class OwnDaemon:
    """One daemon, from its start to its end. It ends with this process, whatever becomes of that."""

    def __init__(self, base: Path, log: Path, subject: str, choice: AgentChoice, *, isolate: bool) -> None:
        self.choice = choice
        self.isolate = isolate
        self._base = base
        self._log = log
        self._subject = subject
        self._keeper: subprocess.Popen[bytes] | None = None
        self._runtime_dir = Path()
        self._state_dir = Path()

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens."""
        return runtime_endpoint(self._runtime_dir)

    @property
    def runs(self) -> bool:
        """Whether it has not ended by itself."""
        return self._keeper is not None and self._keeper.poll() is None

    async def start(self, progress: Callable[[str], None]) -> None:
        """Return when its subject is healthy. Raises what kept it from that, with nothing left."""
        self._runtime_dir = Path(tempfile.mkdtemp(prefix="operatord-eval-"))
        self._base.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._state_dir = Path(tempfile.mkdtemp(prefix="daemon-", dir=self._base))
        config = self._state_dir / "operatord.toml"
        config.write_text(self.choice.toml(), encoding="utf-8")
        read_fd, write_fd = os.pipe()
        with self._log.open("ab") as log:
            # From the main thread: the signal that ends it with us comes when the thread that began it ends.
            self._keeper = subprocess.Popen(  # noqa: ASYNC220 - begun at once, and see above
                [
                    *("setpriv", "--pdeathsig", "TERM", "--", sys.executable, "-m", "operatord", "start"),
                    *("--runtime-dir", str(self._runtime_dir), "--state-dir", str(self._state_dir)),
                    *("--config", str(config), "--subject", self._subject, "--load", "--ready-fd", str(write_fd)),
                    *(["--isolate"] if self.isolate else []),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[write_fd],
                start_new_session=True,
            )
        os.close(write_fd)
        try:
            async with asyncio.timeout(_START_S):
                await self._ready(read_fd, progress)
        except TimeoutError:
            await self.stop()
            raise Unavailable(f"the daemon was not ready within {_START_S:g} s", f"its log is {self._log}") from None
        except BaseException:
            await self.stop()
            raise

    async def _ready(self, read_fd: int, progress: Callable[[str], None]) -> None:
        lines = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        pipe = os.fdopen(read_fd, "rb")
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), pipe)
        try:
            while line := await lines.readline():
                message = json.loads(line)
                if "progress" in message:
                    progress(str(message["progress"]))
                elif "ready" in message:
                    return
                elif "error" in message:
                    raise error_from_wire(message["error"])
        finally:
            transport.close()
        raise Unavailable("the daemon ended before it was ready", f"its log is {self._log}")

    async def stop(self) -> None:
        """End it, and remove what it kept. Raises ``Unavailable`` if it does not end; then its state stays."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        with contextlib.suppress(ProcessLookupError):
            keeper.terminate()
        try:
            await asyncio.to_thread(keeper.wait, _STOP_S)
        except subprocess.TimeoutExpired:
            keeper.kill()
            keeper.wait()
            raise Unavailable(f"the daemon did not stop; its state is in {self._state_dir}") from None
        finally:
            shutil.rmtree(self._runtime_dir, ignore_errors=True)
        if keeper.returncode in (0, 1):
            self._remove_state()

    def _remove_state(self) -> None:
        try:
            if read_owed(self._state_dir / "undo.journal"):
                return  # `operatord recover` needs it
        except OperatorError:
            return
        shutil.rmtree(self._state_dir, ignore_errors=True)
        with contextlib.suppress(OSError):
            self._base.rmdir()
