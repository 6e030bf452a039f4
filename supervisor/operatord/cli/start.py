"""``operatord start``: check everything that can be checked, take the locks, become the keeper."""

import argparse
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

from operator_protocol.endpoint import runtime_endpoint
from operator_protocol.errors import BadRequest, OperatorError, Unavailable, error_from_wire
from operatord.cli.aftermath import remove_containers, remove_network
from operatord.config import Config, load_config
from operatord.faults.undo_journal import read_owed
from operatord.keeper import run_keeper
from operatord.leftovers import MARKER
from operatord.options import DaemonOptions
from operatord.paths import ensure_private_dir, lock_dir, note_state_dir, resolve_dirs, sign_lock
from operatord.processes.records import ServerRecords
from operatord.subjects.registry import check_subject
from operatord.subjects.tikv.options import split


def run(args: argparse.Namespace) -> int:
    """Start in the foreground, or behind with ``--detach``."""
    os.umask(0o077)
    config = load_config(args.config, to_start=True)
    subject = args.subject or ("tikv" if args.pd else config.subject.name)
    check_subject(subject)
    config = _attached(config, subject, args.pd, args.prometheus)
    runtime_dir, state_dir = resolve_dirs(args.runtime_dir, args.state_dir)
    runtime_endpoint(runtime_dir)
    ensure_private_dir(runtime_dir, "--runtime-dir")
    ensure_private_dir(state_dir, "--state-dir")
    locks = [lock_dir(runtime_dir), lock_dir(state_dir)] if runtime_dir != state_dir else [lock_dir(state_dir)]
    note_state_dir(runtime_dir, state_dir)
    if not args.keep_cluster and remove_network(state_dir):
        print("operatord: removed the network of an earlier run", file=sys.stderr)
    if not args.keep_cluster and remove_containers(state_dir):
        print("operatord: removed the containers of an earlier run", file=sys.stderr)
    options = DaemonOptions(
        runtime_dir=runtime_dir,
        state_dir=state_dir,
        subject=subject,
        load=args.load,
        keep_cluster=args.keep_cluster,
        isolate=args.isolate or config.isolation.enabled,
        config=config,
        ready_fd=args.ready_fd,
    )
    # Every process of this run carries it; what is found with it after the end was left behind.
    os.environ.setdefault(MARKER, secrets.token_hex(8))
    return _detach(options, locks) if args.detach else _keep(options, locks)


def _attached(config: Config, subject: str, pd: str | None, prometheus: str | None) -> Config:
    """The configuration with the cluster that was named on the command line."""
    named = {key: value for key, value in (("pd", pd), ("prometheus", prometheus)) if value is not None}
    if not named:
        return config
    if subject != "tikv":
        raise BadRequest(f"--{next(iter(named))} is for TiKV, not for {subject}", "leave out --subject")
    section = config.subject
    if not (pd or section.tikv.get("pd")):
        raise BadRequest("--prometheus belongs to --pd", "a cluster that is started here brings its own")
    options = {**section.tikv, **named}
    split(options)
    return config.model_copy(update={"subject": section.model_copy(update={"tikv": options})})


def _keep(options: DaemonOptions, locks: list[int]) -> int:
    options_fd = options.to_fd()
    pass_fds = [*locks, options_fd, *([options.ready_fd] if options.ready_fd is not None else [])]
    return run_keeper(
        [sys.executable, "-m", "operatord.daemon", str(options_fd)],
        pass_fds=pass_fds,
        spared=lambda: _spared(options),
        after=lambda: _clean_up(options, options_fd),
    )


def _spared(options: DaemonOptions) -> set[tuple[int, int]]:
    if not options.keep_cluster:
        return set()
    return {(one.pid, one.start_time) for one in ServerRecords(options.servers_file).living_servers()}


def _clean_up(options: DaemonOptions, options_fd: int) -> None:
    if not options.keep_cluster:
        remove_network(options.state_dir)
        remove_containers(options.state_dir)
    _recover_what_is_owed(options, options_fd)


def _recover_what_is_owed(options: DaemonOptions, options_fd: int) -> None:
    try:
        if not read_owed(options.undo_journal):
            return
    except OperatorError as error:
        print(f"operatord: {error}", file=sys.stderr)
        return
    subprocess.run(
        [
            *(sys.executable, "-m", "operatord", "recover", "--by-keeper", str(options_fd)),
            *("--runtime-dir", str(options.runtime_dir), "--state-dir", str(options.state_dir)),
        ],
        check=False,
        timeout=120,
        pass_fds=[options_fd],
    )


def _detach(options: DaemonOptions, locks: list[int]) -> int:
    read_fd, write_fd = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork() == 0:
        os.close(read_fd)
        os._exit(_behind(options.model_copy(update={"ready_fd": write_fd}), locks))
    os.close(write_fd)
    for lock in locks:
        os.close(lock)
    return _await_ready(read_fd, options.runtime_dir)


def _behind(options: DaemonOptions, locks: list[int]) -> int:
    """The child that becomes the keeper: a session of its own, output to a file."""
    os.setsid()
    for lock in locks:
        sign_lock(lock)
    log = os.open(options.state_dir / "operatord.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(null)
    os.close(log)
    try:
        return _keep(options, locks)
    except OperatorError as error:
        print(f"operatord: {error}", file=sys.stderr, flush=True)
        return 1


def _await_ready(read_fd: int, runtime_dir: Path) -> int:
    await_ready(read_fd)
    print(f"operatord: running behind, at {runtime_dir}", file=sys.stderr)
    return 0


def await_ready(read_fd: int) -> None:
    """Show the progress of a daemon that starts; return when it is ready, raise the error that it ended with."""
    with os.fdopen(read_fd, encoding="utf-8") as lines:
        for line in lines:
            message = json.loads(line)
            if "progress" in message:
                print(f"operatord: {message['progress']}", file=sys.stderr)
            elif "ready" in message:
                return
            elif "error" in message:
                raise error_from_wire(message["error"])
    raise Unavailable("the daemon ended before it was ready", "its log is operatord.log in the state directory")
