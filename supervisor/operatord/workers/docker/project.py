"""One compose project, through python-on-whales: every call here blocks until the command line is done."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from operator_protocol.errors import Conflict, NotFound
from operator_protocol.models import Scalar
from operatord.workers.docker import helpers
from operatord.workers.docker.containers import EVENTS, PROJECT_LABEL, SERVICE_LABEL, ContainerState
from operatord.workers.docker.refusals import not_installed, refusal

if TYPE_CHECKING:
    from python_on_whales import Container


Beside = Literal["network", "volumes", "nothing"]
"""What of a container a helper shares."""


@dataclass(frozen=True, slots=True)
class ProjectSpec:
    """Which compose project; travels with ``configure``."""

    compose_file: str
    project: str
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the compose file reads from its environment: ports, subnet, rate of the load."""
    profiles: list[str] = field(default_factory=list)
    followed: list[str] = field(default_factory=list)
    """Services whose logs are handed on."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """How a container hangs on a network: what is needed to bring it back as it was."""

    network: str
    address: str
    aliases: list[str]


class Project:
    """Commands on the containers of one project, which are called by their service.

    Raises ``NotFound`` for a service without a container, ``Conflict`` for what its state does not allow,
    ``Unavailable`` when there is no engine or it cannot.
    """

    def __init__(self, spec: ProjectSpec) -> None:
        from python_on_whales import DockerClient  # half a second that only this worker pays

        self.spec = spec
        # The command line reads the variables of the compose file from here.
        os.environ.update(spec.environment)
        self._docker = DockerClient(
            compose_files=[spec.compose_file],
            compose_project_name=spec.project,
            compose_profiles=list(spec.profiles),
        )
        self._names: dict[str, str] = {}

    @property
    def event_command(self) -> list[str]:
        """Prints a line of JSON for each event, the moment it happens."""
        command = [*self._words, "events", "--format", "{{json .}}", "--filter", "type=container"]
        command += ["--filter", f"label={PROJECT_LABEL}={self.spec.project}"]
        return command + [word for event in EVENTS for word in ("--filter", f"event={event}")]

    def log_command(self, since: str) -> list[str]:
        """Prints each line of the followed services since that moment, and goes on."""
        with self._refusing("docker"):
            command = [str(word) for word in self._docker.client_config.docker_compose_cmd]
        return [*command, "logs", "--follow", "--no-color", "--since", since, *self.spec.followed]

    def up(self, services: Sequence[str], *, build: bool, wait: bool, say: Callable[[str], None]) -> None:
        """Create and start; with ``wait`` until all are healthy. ``say`` gets each line of progress."""
        with self._refusing("bringing the containers up"):
            lines = self._docker.compose.up(
                list(services) or None, detach=True, wait=wait, build=build, stream_logs=True, color=False
            )
            for _, line in lines:
                for text in line.decode(errors="replace").splitlines():
                    if text.strip():
                        say(text.strip())

    def require_compose(self) -> None:
        """Raises ``Unavailable`` when the command line lacks the compose plugin."""
        with self._refusing("looking for the compose plugin"):
            self._docker.compose.version()

    def down(self, *, volumes: bool, timeout_s: int) -> None:
        """Remove containers and network, and with ``volumes`` the data; nothing there is success."""
        helpers.remove(self._words, self.spec.project)
        with self._refusing("taking the containers down"):
            for _ in self._docker.compose.down(volumes=volumes, timeout=timeout_s, stream_logs=True):
                pass

    def remove(self, services: Sequence[str]) -> None:
        """Stop and remove the containers of these services; none there is success."""
        with self._refusing(f"removing {', '.join(services)}"):
            self._docker.compose.rm(list(services), stop=True)

    def look(self) -> tuple[list[ContainerState], float]:
        """Every container of the project, and when the look began (wall clock)."""
        began_at = time.time()
        with self._refusing("looking at the containers"):
            listed = self._docker.container.list(all=True, filters=self._labels)
            # One command for all of them.
            found = [_state(one) for one in (self._docker.container.inspect(listed) if listed else [])]
        self._names = {one.service: one.name for one in found}
        return found, began_at

    def kill(self, service: str, signal: str = "KILL") -> None:
        """Signal its first process. Docker suppresses restart policies for a container that was killed so."""
        with self._refusing(f"killing {service}"):
            self._docker.container.kill(self._name(service), signal=signal)

    def stop(self, service: str, timeout_s: int) -> None:
        """TERM, then KILL."""
        with self._refusing(f"stopping {service}"):
            self._docker.container.stop(self._name(service), time=timeout_s)

    def start(self, service: str) -> None:
        """Running is success."""
        with self._refusing(f"starting {service}"):
            self._docker.container.start(self._name(service))

    def restart(self, service: str, timeout_s: int) -> None:
        """Stop and start."""
        with self._refusing(f"restarting {service}"):
            self._docker.container.restart(self._name(service), time=timeout_s)

    def pause(self, service: str) -> None:
        """Freeze all its processes."""
        with self._refusing(f"pausing {service}"):
            self._docker.container.pause(self._name(service))

    def unpause(self, service: str) -> None:
        """Let them go on."""
        with self._refusing(f"resuming {service}"):
            self._docker.container.unpause(self._name(service))

    def update_cpu(self, service: str, quota: int) -> None:
        """Microseconds of processor time in each 100 ms; -1 for as much as there is (``--cpus 0`` undoes nothing)."""
        with self._refusing(f"limiting {service}"):
            self._docker.container.update(self._name(service), cpu_quota=quota)

    def attachment(self, service: str) -> Attachment:
        """Where it hangs now. Raises ``Conflict`` when it is cut off."""
        with self._refusing(f"looking at {service}"):
            container = self._docker.container.inspect(self._name(service))
            networks = container.network_settings.networks or {}
        for network, about in networks.items():
            # Docker adds the short id itself.
            aliases = [alias for alias in about.aliases or [] if alias != container.id[:12]]
            return Attachment(network, _address(about), aliases)
        raise Conflict(f"{service} is connected to no network")

    def disconnect(self, service: str) -> Attachment:
        """Cut it off; what it returns brings it back."""
        attachment = self.attachment(service)
        with self._refusing(f"cutting {service} off"):
            self._docker.network.disconnect(attachment.network, self._name(service))
        return attachment

    def connect(self, service: str, attachment: Attachment) -> None:
        """Bring it back with its address and all its names."""
        from python_on_whales.utils import run

        # python-on-whales' own call takes one alias.
        words = ["network", "connect"]
        words += ["--ip", attachment.address] if attachment.address else []
        words += [word for alias in attachment.aliases for word in ("--alias", alias)]
        with self._refusing(f"connecting {service}"):
            run([*self._docker.client_config.docker_cmd, *words, attachment.network, self._name(service)])

    def inspect(self, service: str) -> dict[str, Scalar]:
        """What a fault wants to know of it."""
        with self._refusing(f"looking at {service}"):
            container = self._docker.container.inspect(self._name(service))
            state = _state(container)
            networks = container.network_settings.networks or {}
            return {
                "name": state.name,
                "id": state.id,
                "state": state.state,
                "health": state.health,
                "exit_code": state.exit_code,
                "oom_killed": state.oom_killed,
                "since_at": state.since_at,
                "pid": container.state.pid or None,
                "cpu_quota": container.host_config.cpu_quota or 0,
                "networks": ",".join(sorted(networks)),
                "image": container.config.image or "",
            }

    def logs(self, service: str, tail: int) -> list[str]:
        """The last lines of both streams, oldest first."""
        with self._refusing(f"reading the log of {service}"):
            return str(self._docker.container.logs(self._name(service), tail=tail)).splitlines()

    def execute(self, service: str, command: Sequence[str]) -> str:
        """What the command printed inside the container."""
        with self._refusing(f"running {command[0]} in {service}"):
            return str(self._docker.container.execute(self._name(service), list(command)) or "")

    def beside(self, service: str, image: str, command: Sequence[str], where: Beside) -> helpers.Ended:
        """Run the command of ``image`` in the network of the service, on its volumes, or, to try it, by itself."""
        name = self._name(service)
        network_of, volumes_of = (name if where == one else "" for one in ("network", "volumes"))
        return helpers.run(self._words, self.spec.project, helpers.Helper(image, command, network_of, volumes_of))

    def helpers_left(self) -> list[str]:
        """Helper containers that are there: under way, or left over."""
        return helpers.left(self._words, self.spec.project)

    def remove_idle_helpers(self) -> list[str]:
        """Remove those that do not run: they were left over."""
        return helpers.remove(self._words, self.spec.project, idle=True)

    def volumes(self, service: str) -> list[dict[str, Any]]:
        """The volumes of its container: ``{name, at, options}``, options as the engine has them."""
        with self._refusing(f"looking at the volumes of {service}"):
            mounts = self._docker.container.inspect(self._name(service)).mounts
            named = [(str(one.name), str(one.destination)) for one in mounts if one.type == "volume" and one.name]
            found = {one.name: one.options for one in (self._docker.volume.inspect([name for name, _ in named]))}
            return [{"name": name, "at": at, "options": dict(found.get(name) or {})} for name, at in named]

    @property
    def _words(self) -> list[str]:
        with self._refusing("docker"):
            return [str(word) for word in self._docker.client_config.docker_cmd]

    @property
    def _labels(self) -> list[tuple[Literal["label"], str]]:
        # One-off containers (``compose run``) belong to a service, but are not it.
        labels = (f"{PROJECT_LABEL}={self.spec.project}", "com.docker.compose.oneoff=False")
        return [("label", label) for label in labels]

    def _name(self, service: str) -> str:
        if service not in self._names:
            self.look()
        if service not in self._names:
            raise NotFound(f"there is no container of {service}", f"known: {', '.join(sorted(self._names)) or 'none'}")
        return self._names[service]

    @contextmanager
    def _refusing(self, what: str) -> Iterator[None]:
        from python_on_whales.client_config import ClientNotFoundError
        from python_on_whales.exceptions import DockerException

        try:
            yield
        except DockerException as error:
            raise refusal(what, error.stderr or error.stdout or "") from error
        except (ClientNotFoundError, FileNotFoundError) as error:
            raise not_installed("docker") from error


def _state(container: "Container") -> ContainerState:
    labels, state = container.config.labels or {}, container.state
    word = state.status or "unknown"
    since = state.started_at if word in {"running", "paused", "restarting"} else state.finished_at
    health = state.health.status if state.health is not None else ""
    return ContainerState(
        service=str(labels.get(SERVICE_LABEL, "")),
        name=container.name,
        id=container.id,
        state=word,
        exit_code=state.exit_code if word in {"exited", "dead"} else None,
        oom_killed=bool(state.oom_killed),
        # Docker writes the year 1 for "never".
        since_at=since.timestamp() if since is not None and since.year > 1970 else 0.0,
        health=health or "",
    )


def _address(about: object) -> str:
    """The fixed address where there is one; a container that does not run has no other."""
    fixed = getattr(about, "ipam_config", None)
    wanted = fixed.get("IPv4Address") if isinstance(fixed, dict) else getattr(fixed, "ipv4_address", None)
    return str(wanted or getattr(about, "ip_address", "") or "")
