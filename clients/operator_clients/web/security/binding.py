"""Where the gateway may listen: what everybody can reach needs TLS, or somebody who says that a proxy has it."""

from operator_clients.web.settings import Settings, is_loopback
from operator_protocol.errors import BadRequest


def check_binding(settings: Settings) -> None:
    """Raise ``BadRequest`` for a gateway that would show itself to others in the clear."""
    if is_loopback(settings.host) or settings.tls or settings.behind_proxy:
        return
    raise BadRequest(
        f"refusing to listen at {settings.host or 'every address'} without TLS: anybody could read the control token",
        "give --tls-cert and --tls-key; or --behind-proxy, if a proxy on this network speaks TLS for it",
    )
