"""Makes the shipped recordings again: ``python -m tests.recordings.make [valkey] [tikv]``. Never run by the tests.

Each is the whole story, told by a real daemon at twice the pace of a talk, and recorded as any client would record it.
For Valkey the servers are real. For TiKV they are the tests' stand-ins, in containers of a real engine; that is said in
the recording's label. What the processes printed is left out, and what is left is searched for what does not belong to
the public before it is written.
"""

import gzip
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.real_daemon import BIN, RealDaemon, until
from tests.e2e.tikv.tikv_daemon import TiKVDaemon
from tests.recordings.leaks import leaks, own_names
from tests.standins.engine import shared_engine

import operatord.demo
from operator_protocol.journal import MAGIC, Records, encode_record, is_log, open_journal, split_record

SHIPPED = Path(__file__).parents[2] / "deploy" / "recordings"
SPEED = 2
STAND_INS = "stand-ins, not a real TiKV"
PRESENTER = "presenter"
ENGLISH = Path(operatord.demo.__file__).parent / "texts" / "en.toml"
_SAID = {
    'servers_counted = "{count} real servers"': 'servers_counted = "{count} stand-ins for the servers"',
    'servers = "Real servers"': 'servers = "Stand-ins for the servers"',
    "Nothing here is simulated: every number comes from a process.": (
        "They run in containers of a real engine, and what watches them is as it always is."
    ),
    "Say what the audience sees: real servers, on this machine,": "Say what the audience sees: stand-ins for servers,",
}
_PACE = {"settle_s = 0.5": "settle_s = 2.0", "countdown_s = 1": "countdown_s = 3"}
"""As on a stage, where the tests are in a hurry: the agent waits for what a fault does to the load."""
_STORY_S = 400.0


def make(name: str, into: Path = SHIPPED) -> Path:
    """One of them. Raises ``AssertionError`` for a story that went wrong, or that tells of this machine."""
    with tempfile.TemporaryDirectory(prefix="operatord-test-") as directory:
        raw = Path(directory) / "raw.opj"
        with _daemon(name, Path(directory)) as daemon, _recorder(daemon, raw, STAND_INS if name == "tikv" else ""):
            story = [str(BIN / "operatorctl"), "--endpoint", str(daemon.runtime_dir), "demo", "--auto"]
            subprocess.run([*story, "--speed", str(SPEED)], check=True, timeout=_STORY_S)
        trimmed = trim(raw)
        found = leaks(raw, own_names())
    assert not found, f"{name} tells of this machine: {found}"
    path = into / f"{name}.opj.gz"
    # Neither name nor time of this file in its header: the same frames are the same bytes.
    path.write_bytes(gzip.compress(trimmed, 9, mtime=0))
    return path


def trim(raw: Path) -> bytes:
    """``raw`` without the captured output of processes."""
    with open_journal(raw) as file:
        parts = [split_record(payload) for _, payload in Records(file)]
    kept = MAGIC + b"".join(encode_record(one) for one in parts if not is_log(one[0].decode()))
    raw.write_bytes(kept)
    return kept


@contextmanager
def _daemon(name: str, directory: Path) -> Iterator[RealDaemon]:
    # Who commands is in the frames: no account of this machine.
    os.environ["LOGNAME"] = os.environ["USER"] = PRESENTER
    if name == "tikv":
        os.environ["OPERATOR_HEALTH_INTERVAL"] = "2s"
        with shared_engine() as engine:
            tikv = TiKVDaemon(directory, engine)
            words = directory / "words.toml"
            # The words of the story without what holds for real servers only.
            words.write_text(_with(_SAID, ENGLISH.read_text(encoding="utf-8")), encoding="utf-8")
            settings = _with(_PACE, tikv.config.read_text())
            tikv.config.write_text(f'{settings}\n[demo]\nlanguage = "{words}"\n')
            try:
                tikv.start_tikv()
                yield tikv
            finally:
                tikv.end()
        return
    valkey = RealDaemon(directory)
    try:
        valkey.start()
        yield valkey
    finally:
        valkey.end()


def _with(changes: Mapping[str, str], text: str) -> str:
    """``text`` with each of ``changes``, once."""
    for before, after in changes.items():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return text


@contextmanager
def _recorder(daemon: RealDaemon, path: Path, label: str) -> Iterator[None]:
    command = [str(BIN / "operatorctl"), "--endpoint", str(daemon.runtime_dir), "record", str(path), "--label", label]
    recorder = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        until(path.exists, "the recorder")
        yield
    finally:
        recorder.send_signal(signal.SIGINT)
        recorder.wait(30)


def main(names: Sequence[str]) -> None:
    """Make those that were asked for, or all."""
    SHIPPED.mkdir(exist_ok=True)
    for name in names or ("valkey", "tikv"):
        path = make(name)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
