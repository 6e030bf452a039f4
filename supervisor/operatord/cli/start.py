"""``operatord start``: check everything that can be checked, take the locks, become the keeper."""

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from operator_protocol.endpoint import runtime_endpoint
from operator_protocol.errors import BadRequest, OperatorError, Unavailable, error_from_wire
from operatord.actions.policy import read_policy
from operatord.cli.aftermath import end_load, remove_containers, remove_network
from operatord.config import Config, load_config
from operatord.demo.catalogue import load_catalogue
from operatord.demo.plan import StoryPlan
from operatord.demo.reading import read_story, story_file
from operatord.faults.undo_journal import read_owed
from operatord.keeper import run_keeper
from operatord.launching import AGAIN
from operatord.leftovers import MARKER
from operatord.noted_subject import NotedSubject
from operatord.options import DaemonOptions
from operatord.origin import note_origin, take_over
from operatord.paths import ensure_private_dir, lock_dir, note_state_dir, resolve_dirs, sign_lock
from operatord.processes.records import ServerRecords
from operatord.reporting import Reporter
from operatord.subjects.registry import check_subject
from operatord.subjects.tikv.options import FILES, split
from operatord.workers.docker.refusals import not_installed

_OF_ATTACHED = {
    "pd": "pd",
    "prometheus": "prometheus",
    "status": "status",
    "cacert": "tls_ca",
    "cert": "tls_cert",
    "key": "tls_key",
}
"""Options of the command line about a cluster that runs already, and what they are called in [subject.tikv]."""


def run(args: argparse.Namespace) -> int:
    """Start in the foreground, or behind with ``--detach``."""
    try:
        return _run(args)
    except OperatorError as error:
        # Whoever waits for the daemon hears why there is none.
        Reporter(args.ready_fd).refused(error)
        raise


def _run(args: argparse.Namespace) -> int:
    os.umask(0o077)
    config = load_config(args.config, to_start=True)
    subject = args.subject or ("tikv" if args.pd else config.subject.name)
    check_subject(subject)
    config = _attached(config, subject, args)
    if subject == "tikv" and not config.subject.tikv.get("pd") and shutil.which("docker") is None:
        raise not_installed("docker")
    asked_for = (("fault", args.demo_fault), ("target", args.demo_target), ("chapters", args.chapters))
    told = {key: value for key, value in asked_for if value}
    config = config.model_copy(update={"demo": config.demo.model_copy(update=told)})
    if args.autonomy:
        policy = read_policy(args.autonomy, config.agent.execute_up_to)
        chosen = {"autonomy": policy.autonomy, "execute_up_to": policy.execute_up_to}
        config = config.model_copy(update={"agent": config.agent.model_copy(update=chosen)})
    if args.console is not None:
        asked = {"enabled": True} | ({"port": args.console} if args.console >= 0 else {})
        config = config.model_copy(update={"console": config.console.model_copy(update=asked)})
    story = chosen_story(config)
    runtime_dir, state_dir = resolve_dirs(args.runtime_dir, args.state_dir)
    runtime_endpoint(runtime_dir)
    ensure_private_dir(runtime_dir, "--runtime-dir")
    ensure_private_dir(state_dir, "--state-dir")
    locks = [lock_dir(runtime_dir), lock_dir(state_dir)] if runtime_dir != state_dir else [lock_dir(state_dir)]
    if aside := take_over(state_dir):
        print(f"operatord: {state_dir} is a copy; set aside, as not its own: {', '.join(aside)}", file=sys.stderr)
    note_state_dir(runtime_dir, state_dir)
    NotedSubject.of(subject, config).note(state_dir)
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
        story=story,
        ready_fd=args.ready_fd,
    )
    # Every process of this run carries it; what is found with it after the end was left behind.
    os.environ.setdefault(MARKER, secrets.token_hex(8))
    return _detach(options, locks) if args.detach else _keep(options, locks)


def chosen_story(config: Config) -> StoryPlan | None:
    """The story of a file, None for the built-in one. Raises ``OperatorError`` for chapters or words that are wrong."""
    catalogue = load_catalogue(config.demo.language)
    return read_story(story_file(config.demo.chapters), catalogue) if config.demo.chapters else None


def _attached(config: Config, subject: str, args: argparse.Namespace) -> Config:
    """The configuration with the cluster that was named on the command line."""
    told = {flag: getattr(args, flag) for flag in _OF_ATTACHED}
    named = {_OF_ATTACHED[flag]: value for flag, value in told.items() if value is not None}
    options = {**config.subject.tikv, **named}
    if named and subject != "tikv":
        raise BadRequest(f"--{_first(told)} is for TiKV, not for {subject}", "leave out --subject")
    if named and not options.get("pd"):
        raise BadRequest(f"--{_first(told)} belongs to --pd", "a cluster that is started here brings its own")
    if subject != "tikv":
        return config
    for key in FILES:
        if key in named:
            options[key] = str(Path(named[key]).expanduser().absolute())
    _, settings = split(options)
    if settings.tls is not None:
        # A file that cannot be used is said now, not by each process that needs it.
        settings.tls.context()
    return config.model_copy(update={"subject": config.subject.model_copy(update={"tikv": options})})


def _first(told: dict[str, str | None]) -> str:
    return next(flag for flag, value in told.items() if value is not None)


def _keep(options: DaemonOptions, locks: list[int]) -> int:
    note_origin(options.state_dir, options.runtime_dir)
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
    if options.keep_cluster:
        end_load(options.state_dir)
    else:
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
    # Looks before and after the undo, and an engine that hangs, come on top.
    within_s = options.config.faults.recovery_deadline_s + 90.0
    try:
        subprocess.run(
            [
                *(sys.executable, "-m", "operatord", "recover", "--by-keeper", str(options_fd)),
                *("--runtime-dir", str(options.runtime_dir), "--state-dir", str(options.state_dir)),
            ],
            check=False,
            timeout=within_s,
            pass_fds=[options_fd],
        )
    except subprocess.TimeoutExpired:
        owed = f"operatord: what is owed was not undone within {within_s:g} s; try again with: operatord recover"
        print(owed, file=sys.stderr)


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
    failed = await_ready(read_fd)
    without = f", without its cluster; once that is mended: {AGAIN}" if failed is not None else ""
    print(f"operatord: running behind, at {runtime_dir}{without}", file=sys.stderr)
    return 0 if failed is None else 1


def await_ready(read_fd: int) -> OperatorError | None:
    """Show the progress of a daemon that starts; return when it is ready, raise the error that it ended with.

    An error that is returned, and not raised, kept its subject from being started; the daemon is up all the same.
    """
    with os.fdopen(read_fd, encoding="utf-8") as lines:
        for line in lines:
            message = json.loads(line)
            if "progress" in message:
                print(f"operatord: {message['progress']}", file=sys.stderr)
            elif "ready" in message:
                return None
            elif "error" in message and message.get("stays"):
                return error_from_wire(message["error"])
            elif "error" in message:
                raise error_from_wire(message["error"])
    raise Unavailable("the daemon ended before it was ready", "its log is operatord.log in the state directory")
