"""What can be wrong with an API server. Switched on one at a time, for all paths or for those with a word in them."""

import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Literal, NamedTuple, get_args

Kind = Literal[
    "none",
    "down",
    "slow",
    "held",
    "drip",
    "half",
    "html",
    "redirect",
    "unauthorized",
    "forbidden",
    "throttled",
    "error",
    "expired",
    "no-metrics",
    "no-stats",
]
KINDS: tuple[str, ...] = get_args(Kind)
_DRIP_S = 0.05


class Fault(NamedTuple):
    """``on``: only paths that contain this. ``seconds``: how slow; ``held`` is so until something else is wrong."""

    kind: Kind = "none"
    on: str = ""
    seconds: float = 30.0


def status(code: int, reason: str, message: str, **details: str) -> dict[str, object]:
    """A ``Status`` as the API server writes it."""
    told: dict[str, object] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    told |= {"message": message, "reason": reason}
    return told | ({"details": details} if details else {}) | {"code": code}


def instead(fault: Fault, path: str) -> tuple[int, object, str] | None:
    """Status, body and kind of the answer that a fault gives in place of the right one; None where it gives none."""
    resource = path.rpartition("/")[2]
    match fault.kind:
        case "html":
            return 200, b"<!doctype html><title>Sign in</title><p>Please sign in.</p>", "text/html"
        case "redirect":
            return 302, b"", "text/html"
        case "unauthorized":
            return 401, status(401, "Unauthorized", "Unauthorized"), ""
        case "forbidden":
            user = "system:serviceaccount:standin:console"
            message = f'{resource} is forbidden: User "{user}" cannot list resource "{resource}" at the cluster scope'
            return 403, status(403, "Forbidden", message, kind=resource), ""
        case "throttled":
            return 429, status(429, "TooManyRequests", "too many requests, please try again later"), ""
        case "error":
            return 500, status(500, "InternalError", "an error on the server has prevented the request"), ""
        case "no-metrics" if path.startswith("/apis/metrics.k8s.io"):
            return 404, b"404 page not found\n", "text/plain; charset=utf-8"
        case "no-stats" if "/proxy/" in path:
            message = "error trying to reach service: dial tcp 192.0.2.1:10250: i/o timeout"
            return 503, status(503, "ServiceUnavailable", message), ""
        case _:
            return None


def delay(fault: Fault, mended: threading.Event) -> None:
    """Keep who asks waiting."""
    if fault.kind == "slow":
        time.sleep(fault.seconds)
    elif fault.kind == "held":
        mended.wait(fault.seconds)


def reset(line: socket.socket) -> None:
    """End a connection without an answer, as a host does on which nothing listens any more."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


def spoil(handler: BaseHTTPRequestHandler, fault: Fault, data: bytes) -> bool:
    """Send ``data`` in part, or a byte at a time. True when that was done: the connection is of no more use."""
    if fault.kind == "half":
        handler.wfile.write(data[: len(data) // 2])
    elif fault.kind == "drip":
        until = time.monotonic() + fault.seconds
        for number in range(len(data)):
            if time.monotonic() > until:
                break
            handler.wfile.write(data[number : number + 1])
            handler.wfile.flush()
            time.sleep(_DRIP_S)
    else:
        return False
    handler.close_connection = True
    return True
