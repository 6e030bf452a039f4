"""Every option of the subject (``[subject.tikv]``) that the changing half reads; the rest is ``settings``'."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from operator_protocol.errors import BadRequest
from operator_protocol.models import Scalar
from operatord.isolation.addresses import Subnet
from operatord.subjects.tikv.settings import Settings

_LAST_PORT = 65_535
FILES = ("compose_file", "tls_ca", "tls_cert", "tls_key")
"""Options that are paths of files."""

_ALLOWED = ("allow_faults_on", "allow_actions_on", "allow_load_on")
_WORKLOAD = ("workload_name", "workload_rate", "workload_threads", "workload_records")


@dataclass(frozen=True, slots=True)
class Options:
    """Options as typed values; ``read`` builds them from the flat map of the configuration."""

    compose_file: str = ""
    """Another compose file than the one that comes with the daemon; it must have the same services."""
    base_port: int = 0
    """First of eleven ports of the loopback: three PDs, three status ports, three data ports, Prometheus, Grafana.
    0 takes free ones."""
    network: str = ""
    """A private /24 for the containers; empty for one that this host does not route yet."""
    start_timeout_s: float = 900.0
    """Images may have to be fetched."""
    stop_grace_s: float = 5.0
    """A server that is taken down has this long to end by itself."""
    helper_image: str = "nicolaka/netshoot:v0.13"
    """Image of the short-lived containers that shape a node's network or fill its volume: it needs tc, nft, df and
    fallocate. It is never fetched by a fault; empty for none."""
    allow_faults_on: str = ""
    """Ids of attached clusters, separated by commas, in which faults may be injected. Others are only watched."""
    allow_actions_on: str = ""
    """The same for actions."""
    allow_load_on: str = ""
    """The same for a load."""
    workload_name: str = "a"
    workload_rate: float = 1000.0
    workload_threads: int = 8
    workload_records: int = 1000

    def to_options(self) -> dict[str, Scalar]:
        """The flat map, without what is set in ``[workload]``."""
        return {item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.name not in _WORKLOAD}


def split(options: Mapping[str, Scalar]) -> tuple[Options, Settings]:
    """The options of both halves, checked. Raises ``BadRequest`` naming the key that is wrong."""
    ours = {item.name: item for item in dataclasses.fields(Options)}
    options = {key: _as_text(value) if key in _ALLOWED else value for key, value in options.items()}
    unknown = [key for key in options if key not in ours and key not in Settings().to_options()]
    if unknown:
        known = ", ".join(known_keys())
        raise BadRequest(f"subject.tikv has no option {unknown[0]!r}", f"known: {known}")
    settings = Settings.read({key: value for key, value in options.items() if key not in ours})
    values = {key: _typed(key, value, ours[key].default) for key, value in options.items() if key in ours}
    mine = Options(**values)  # type: ignore[arg-type]  # each value has the type of its default
    _check(mine)
    return mine, settings


def known_keys() -> list[str]:
    """What may stand in ``[subject.tikv]``."""
    return [*Options().to_options(), *Settings().to_options()]


def ids(text: str) -> frozenset[str]:
    """The words of a list with commas."""
    return frozenset(word.strip() for word in text.split(",") if word.strip())


def _as_text(value: Scalar) -> Scalar:
    """The id of one cluster may stand there as the number that it is."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _typed(key: str, value: Scalar, default: object) -> Scalar:
    if isinstance(default, str):
        if not isinstance(value, str):
            raise BadRequest(f"subject.tikv.{key} must be a text, not {value!r}")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRequest(f"subject.tikv.{key} must be a number, not {value!r}")
    if isinstance(default, int) and not isinstance(value, int):
        raise BadRequest(f"subject.tikv.{key} must be a whole number, not {value!r}")
    return value if isinstance(default, int) else float(value)


def _check(options: Options) -> None:
    if options.base_port and not 1024 <= options.base_port <= _LAST_PORT - 10:
        raise BadRequest(f"subject.tikv.base_port is {options.base_port}; it must be 0 or 1024 to {_LAST_PORT - 10}")
    if options.network:
        Subnet.parse(options.network)
    for name in ("start_timeout_s", "stop_grace_s"):
        if getattr(options, name) < 1:
            raise BadRequest(f"subject.tikv.{name} is {getattr(options, name):g}; it must be at least 1")
    for name in _ALLOWED:
        for word in ids(getattr(options, name)):
            if not (word.isascii() and word.isdigit()):
                raise BadRequest(
                    f"subject.tikv.{name}: {word!r} is not the id of a cluster",
                    "it is a number, in the answer of PD's /pd/api/v1/members",
                )
