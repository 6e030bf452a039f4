"""What the TiKV subject needs: of an engine for containers, or of a cluster that is attached to."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from operator_protocol.errors import OperatorError, Unavailable
from operatord.cli.findings import Finding, guarded
from operatord.config import Config
from operatord.isolation.addresses import Subnet, free_subnet
from operatord.subjects.tikv import project as projects
from operatord.subjects.tikv.control import TiKVControl
from operatord.subjects.tikv.engine import NoEngine
from operatord.subjects.tikv.options import Options, ids, split
from operatord.subjects.tikv.pd.tls import Tls
from operatord.workers.docker.refusals import INSTALL_COMPOSE, not_installed, refusal

_COMMAND_S = 30.0
_OLDEST_API = (1, 40)
"""Of engine 19.03. Newer ones are spoken to by the command line, which knows the way down."""
_OLDEST_COMPOSE = 2
"""``docker compose up --wait``."""
_WANTED_BYTES = 10 << 30
"""Images of 3 GiB, and three stores that keep half a GiB free each."""


def examine(config: Config, state_dir: Path) -> Iterator[Finding]:
    """Of what the configuration asks for."""
    options, settings = split(config.subject.tikv)
    if settings.pd:
        yield from _attached(config, state_dir)
        return
    if shutil.which("docker") is None:
        error = not_installed("docker")
        yield Finding("docker", "failed", error.message, error.hint)
        return
    engine = guarded("docker engine", _engine)
    yield engine
    compose = guarded("docker compose", _compose)
    yield compose
    yield _ports(options, state_dir / projects.DIRECTORY)
    yield guarded("container network", lambda: _network(options))
    if engine.verdict == "ok":
        if compose.verdict == "ok":
            yield _images(options)
        yield _helper_image(options)
        yield _disk()


def _engine() -> str:
    said = _docker("version", "--format", "{{json .Server}}", what="asking the engine")
    try:
        told = json.loads(said)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise Unavailable("docker tells of no engine", "is it another program of that name?")
    version, api = str(told.get("Version") or "?"), str(told.get("ApiVersion") or told.get("APIVersion") or "0")
    numbers = tuple(int(part) for part in api.split(".") if part.isdigit())
    if numbers < _OLDEST_API:
        oldest = ".".join(str(number) for number in _OLDEST_API)
        raise Unavailable(f"engine {version} speaks API {api}, older than {oldest}", "install a newer Docker Engine")
    return f"engine {version}, API {api}"


def _compose() -> str:
    try:
        said = _docker("compose", "version", "--short", what="asking for the compose plugin").strip().removeprefix("v")
    except OperatorError as error:
        # Without the plugin the command line just shows what it knows.
        raise Unavailable("the compose plugin does not answer", INSTALL_COMPOSE) from error
    major = said.partition(".")[0]
    if not major.isdigit() or int(major) < _OLDEST_COMPOSE:
        raise Unavailable(f"compose {said or '?'} is older than {_OLDEST_COMPOSE}", INSTALL_COMPOSE)
    return f"version {said}"


def _images(options: Options) -> Finding:
    """Those that the compose file names."""
    try:
        file = projects.compose_file(options.compose_file)
        words = ("compose", "--file", str(file), "--profile", projects.PROFILE, "config", "--images")
        wanted = sorted({line.strip() for line in _docker(*words, what="reading the compose file").splitlines()} - {""})
        there = set(_docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", what="listing images").splitlines())
    except OperatorError as error:
        return Finding("images", "failed", error.message, error.hint)
    missing = [name for name in wanted if name not in there]
    if not missing:
        return Finding("images", "ok", f"all {len(wanted)} are there")
    return Finding(
        "images",
        "warning",
        f"{len(missing)} of {len(wanted)} are not there yet: {', '.join(missing)}",
        "before the show, since it may take minutes: operatord start --subject tikv fetches and builds them; where no "
        "registry can be reached: docker load",
    )


def _helper_image(options: Options) -> Finding:
    """That of the containers which shape a node's network or fill its volume: a fault does not fetch it."""
    image = options.helper_image
    if not image:
        return Finding("helper image", "ok", "none is wanted: latency, bandwidth, loss and disk are refused")
    try:
        there = _docker("image", "ls", "--quiet", image, what="listing images").strip()
    except OperatorError as error:
        return Finding("helper image", "failed", error.message, error.hint)
    if there:
        return Finding("helper image", "ok", f"{image} is there")
    return Finding(
        "helper image",
        "warning",
        f"{image} is not there: latency, bandwidth, loss and disk will be refused, the other faults not",
        f"to have them too: docker pull {image}",
    )


def _ports(options: Options, directory: Path) -> Finding:
    if not options.base_port:
        return guarded("container ports", lambda: f"{len(projects.free_ports(11))} free ones are taken at the start")
    try:
        ours = projects.load(directory)
    except OperatorError as error:
        return Finding("container ports", "failed", error.message, error.hint)
    if ours is not None:
        return Finding("container ports", "ok", "taken by the containers of this state directory")
    wanted = range(options.base_port, options.base_port + 11)
    taken = [port for port in wanted if not _is_free(port)]
    if not taken:
        return Finding("container ports", "ok", f"{wanted[0]} to {wanted[-1]} are free")
    named = ", ".join(str(port) for port in taken)
    return Finding("container ports", "failed", f"taken: {named}", "choose another base_port in [subject.tikv], or 0")


def _is_free(port: int) -> bool:
    try:
        socket.create_server((projects.HOST, port)).close()
    except OSError:
        return False
    return True


def _network(options: Options) -> str:
    routed = projects.routed_networks()
    if not options.network:
        return f"{free_subnet(routed, seed='doctor').network} or another free one"
    wanted = Subnet.parse(options.network).network
    if any(wanted.overlaps(one) for one in routed):
        raise Unavailable(
            f"this host has a route to {wanted} already",
            "choose another network in [subject.tikv], unless it is that of containers that were kept",
        )
    return f"{wanted} is free"


def _disk() -> Finding:
    try:
        root = _docker("info", "--format", "{{.DockerRootDir}}", what="asking the engine").strip()
        free = shutil.disk_usage(root).free
    except OperatorError as error:
        return Finding("docker disk", "warning", error.message, error.hint)
    except OSError:
        return Finding("docker disk", "ok", "the engine keeps its data on another host, or out of our sight")
    text = f"{free / (1 << 30):.1f} GiB free at {root}"
    if free < _WANTED_BYTES:
        return Finding("docker disk", "warning", text, f"images and data want {_WANTED_BYTES >> 30} GiB")
    return Finding("docker disk", "ok", text)


def _docker(*words: str, what: str) -> str:
    # What a compose file leaves to its environment has defaults.
    try:
        done = subprocess.run(
            ["docker", *words], capture_output=True, text=True, timeout=_COMMAND_S, check=False, env=_environment()
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{what}: no answer within {_COMMAND_S:g} s", "is the engine well?") from error
    except OSError as error:
        raise Unavailable(f"{what}: {error.strerror}") from error
    if done.returncode != 0:
        raise refusal(what, done.stderr or done.stdout)
    return done.stdout


def _environment() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OPERATOR_TIKV")}


def _attached(config: Config, state_dir: Path) -> Iterator[Finding]:
    options, settings = split(config.subject.tikv)
    if settings.tls is not None:
        tls = settings.tls
        certificate = guarded("certificates", lambda: _readable(tls))
        yield certificate
        if certificate.verdict == "failed":
            return
    yield asyncio.run(_ask(config, state_dir))
    yield _load(config, allowed=ids(options.allow_load_on))


def _readable(tls: Tls) -> str:
    tls.context()
    return "can be read"


async def _ask(config: Config, state_dir: Path) -> Finding:
    said: list[str] = []
    control = TiKVControl(NoEngine(), state_dir, config.subject.tikv, keep=True)
    try:
        await control.start(said.append)
    except OperatorError as error:
        return Finding("attached cluster", "failed", error.message, error.hint)
    finally:
        await control.stop()
    # A daemon would start all the same, and watch for it.
    return Finding("attached cluster", "ok" if control.instance else "warning", " ".join(said))


def _load(config: Config, *, allowed: Sequence[str] | frozenset[str]) -> Finding:
    section = config.workload
    if section.follow:
        there = Path(section.follow).exists()
        detail = f"read from {section.follow}" + ("" if there else ", which is not there yet")
        return Finding("load", "ok" if there else "warning", detail)
    program = section.command[0] if section.command else "go-ycsb"
    if not allowed:
        return Finding("load", "ok", "none: allow_load_on names no cluster")
    path = shutil.which(program)
    if path is None:
        return Finding(
            "load", "warning", f"{program} is not on the PATH", "name a command, or a file to follow, in [workload]"
        )
    return Finding("load", "ok", path)
