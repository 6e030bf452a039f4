"""``operatord doctor --stage``: a presenter's checklist, gone through in the terminal of the show before it begins."""

import argparse
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from operator_protocol.endpoint import tcp_endpoint
from operator_protocol.errors import OperatorError, Unavailable
from operatord import procfs
from operatord.cli.findings import Finding, guarded
from operatord.cli.start import chosen_story
from operatord.cli.terminal import examine_terminal
from operatord.config import Config
from operatord.demo.chapters import BUILT_IN
from operatord.keys import KeyStore
from operatord.leftovers import MARKER
from operatord.paths import default_state_dir, lock_holder
from operatord.processes.records import peek_living_servers
from operatord.workers.agent.settings import KEY_VARIABLE

_MEMORY = {"valkey": (512 << 20, 1 << 30), "tikv": (4 << 30, 6 << 30)}
"""Bytes below which it is bad, and below which it may be tight, by subject."""
_BUSY, _OVERLOADED = 0.5, 1.0
"""Load of the last minute for each core."""
_LOOK_S = 0.5
_SHOWN = 5
_ADOPTERS = ("systemd", "init", "tini")


def examine_stage(args: argparse.Namespace, config: Config, runtime_dir: Path, state_dir: Path) -> Iterator[Finding]:
    """What only a presenter asks; the subject, the disk and the daemon's directories are asked for as ever."""
    yield from examine_terminal(os.environ)
    yield story(args, config)
    yield memory(args.subject or config.subject.name, psutil.virtual_memory().available)
    yield _processor()
    yield from _ports(config)
    yield ghosts([runtime_dir, state_dir, default_state_dir() / "demo"])
    yield from _keys(config, state_dir)


def story(args: argparse.Namespace, config: Config) -> Finding:
    """Whether the chapters and the words can be read."""
    told = {"chapters": args.chapters} if args.chapters else {}
    chosen = config.model_copy(update={"demo": config.demo.model_copy(update=told)})

    def look() -> str:
        plan = chosen_story(chosen) or BUILT_IN
        of = plan.file or "the built-in story"
        return f"{len(plan.chapter)} chapters of {of}, in {chosen.demo.language}"

    return guarded("story", look)


def memory(subject: str, available: int) -> Finding:
    """Whether the servers have room."""
    least, enough = _MEMORY.get(subject, _MEMORY["valkey"])
    told = f"{available / (1 << 30):.1f} GiB available"
    if available < least:
        return Finding("memory", "failed", told, f"close something: the servers want {least / (1 << 30):.1f} GiB")
    if available < enough:
        return Finding("memory", "warning", told, "close what is not needed for the show")
    return Finding("memory", "ok", told)


def _processor() -> Finding:
    cores = psutil.cpu_count() or 1
    processes = list(psutil.process_iter(["name"]))
    for process in processes:
        _busy(process)
    now = psutil.cpu_percent(_LOOK_S)
    share, busiest = max(((_busy(one), one) for one in processes), key=lambda found: found[0])
    name = f"{busiest.info['name']}, pid {busiest.pid}, {share:.0f} %"
    return processor(os.getloadavg()[0] / cores, now, cores, name)


def processor(load: float, now: float, cores: int, busiest: str) -> Finding:
    """Whether something else is at work: on stage, its load would be in every figure."""
    told = f"{now:.0f} % of {cores} cores busy now, load {load:.2f} a core"
    if load <= _BUSY and now <= 100 * _BUSY:
        return Finding("processor", "ok", told)
    hint = f"end what is busy{f' (most: {busiest})' if busiest else ''}, or wait: every figure on stage has it in it"
    return Finding("processor", "failed" if load > _OVERLOADED or now > 95 else "warning", told, hint)


def _busy(process: psutil.Process) -> float:
    """Percent of a core since the last look."""
    try:
        return float(process.cpu_percent(None))
    except psutil.Error:
        return 0.0


def _ports(config: Config) -> Iterator[Finding]:
    """Those that are to be listened at."""
    console = config.console.port
    if console and _taken("127.0.0.1", console):
        hint = "the console takes a free one and says which; a bookmark of the old one does not work"
        yield Finding("port of the console", "warning", f"{console} is taken", hint)
    elif console:
        yield Finding("port of the console", "ok", f"{console} is free")
    if config.listen.tcp:
        endpoint = tcp_endpoint(config.listen.tcp)
        yield guarded("ports of [listen]", lambda: _free(endpoint.label, config.listen.tcp))


def _free(label: str, address: str) -> str:
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    # As ZeroMQ writes it: every address of this host.
    at = "" if host == "*" else host.strip("[]")
    taken = [number for number in (int(port), int(port) + 1) if _taken(at, number)]
    if taken:
        raise Unavailable(f"{', '.join(map(str, taken))} of {label} is taken", "choose another address in [listen]")
    return f"{label} is free"


def _taken(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: what an earlier run left to linger is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def ghosts(directories: Sequence[Path]) -> Finding:
    """Processes of earlier runs that nobody looks after any more."""
    if found := [*_orphans(), *_servers(directories)]:
        told = ", ".join(dict.fromkeys(found))
        return Finding(
            "ghosts", "failed", told, "kill them by these pids; servers kept on purpose: operatord stop --servers"
        )
    return Finding("ghosts", "ok", "no process of an earlier run")


def _orphans() -> list[str]:
    """Processes that carry the marker of a run, and have nobody above them any more but whoever adopts orphans; of
    many, the youngest.
    """
    stats = {stat.pid: stat for stat in procfs.all_stats()}
    found = []
    for stat in stats.values():
        if not stat.alive or not procfs.environment_names(stat.pid, MARKER) or _is_ours(stat.pid):
            continue
        above = stats.get(stat.ppid)
        if above is None or above.pid == 1 or above.comm in _ADOPTERS:
            found.append(stat)
    found.sort(key=lambda stat: stat.start_time, reverse=True)
    more = [f"{len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return [f"{stat.comm} (pid {stat.pid})" for stat in found[:_SHOWN]] + more


def _is_ours(pid: int) -> bool:
    """A keeper, a command of ours, or this one."""
    words = [Path(word).name for word in procfs.command_line(pid)[:4]]
    return pid == os.getpid() or any(word in ("operatord", "operatorctl", "operator-viewer") for word in words)


def _servers(directories: Sequence[Path]) -> list[str]:
    """Servers on record in a state directory without a daemon."""
    alone = [directory for directory in dict.fromkeys(directories) if lock_holder(directory) is None]
    return [f"{one.name} (pid {one.pid})" for at in alone for one in peek_living_servers(at / "servers.json")]


def _keys(config: Config, state_dir: Path) -> Iterator[Finding]:
    agent = config.agent
    has_key = bool(agent.key_file and Path(agent.key_file).is_file()) or bool(os.environ.get(KEY_VARIABLE))
    where = f"set {KEY_VARIABLE}, or key_file in [agent]"
    if agent.key_file and not Path(agent.key_file).is_file():
        yield Finding("agent's key", "failed", f"there is no {agent.key_file}", where)
    elif agent.diagnoser == "rules":
        yield Finding("agent's key", "ok", "none is needed: the rules diagnose")
    elif has_key:
        yield Finding("agent's key", "ok", f"{agent.model} is asked; the rules answer when it does not")
    elif agent.diagnoser == "claude":
        yield Finding("agent's key", "failed", "there is none, and the diagnoser is claude", where)
    else:
        yield Finding("agent's key", "ok", f"there is none, so the rules diagnose ({where}, for {agent.model})")
    if (state_dir / "agent.off").exists():
        yield Finding("agent", "warning", "it is switched off: it repairs nothing", "operatorctl agent on")
    if config.listen.tcp:
        try:
            admitted = KeyStore(state_dir).admitted()
        except OperatorError as error:
            yield Finding("keys of [listen]", "failed", error.message, error.hint)
            return
        if not admitted:
            hint = "operatord keys new NAME, for the viewer on the other host"
            yield Finding("keys of [listen]", "warning", "nobody is admitted", hint)
        else:
            yield Finding("keys of [listen]", "ok", ", ".join(key.name for key in admitted))
