"""Which ``Host`` and which ``Origin`` a request may have.

A page of another site can make a browser send requests to this machine, and with DNS that changes its answer even under
a name that it may read the answers of. Both give themselves away: the one by its Origin, the other by its Host.
"""

import re
from collections.abc import Iterable, Mapping

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def is_host(text: str) -> bool:
    """Whether ``text`` is a name with or without a port, as a ``Host`` has it."""
    return _HOST.fullmatch(text) is not None


def is_host_allowed(host: str, known: Iterable[str]) -> bool:
    """Whether ``host``, a name with or without a port, is one of ``known``.

    A known name without a port allows all: it is the name that an attacker cannot have.
    """
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    lowered = host.lower()
    name = found["name"].lower().rstrip(".")
    return any(allowed.lower() in (name, lowered) for allowed in known)


def is_origin_allowed(method: str, headers: Mapping[str, str], *, secure: bool, proxied: Iterable[str] = ()) -> bool:
    """Whether the page that sends this is ours. ``headers`` have lower-case names; ``proxied`` are public hosts.

    Browsers tell an Origin with everything that may change something. What tells none is no page of another site: a
    program, or a link that was followed, which changes nothing.
    """
    origin = headers.get("origin")
    if origin is None:
        return method in _SAFE or headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    own = {f"{'https' if secure else 'http'}://{headers.get('host', '').lower()}"}
    for host in proxied:
        own |= {f"https://{host.lower()}", f"http://{host.lower()}"}
    return origin.lower() in own
