"""Where the gateway may listen: what everybody can reach needs TLS, or somebody who says that a proxy has it."""

from operator_clients.web.security.hosts import is_host
from operator_clients.web.settings import Settings, is_loopback
from operator_protocol.errors import BadRequest


def check_binding(settings: Settings) -> None:
    """Raise ``BadRequest`` for one that would show itself in the clear, or could never be called by its name."""
    for host in settings.allow_hosts:
        if not is_host(host):
            raise BadRequest(f"{host!r} is no host", "a name as browsers call it, like console.example.org")
    if is_loopback(settings.host) or settings.tls or settings.behind_proxy:
        return
    raise BadRequest(
        f"refusing to listen at {settings.host or 'every address'} without TLS: anybody could read the control token",
        "give --tls-cert and --tls-key; or --behind-proxy, if a proxy on this network speaks TLS for it",
    )
