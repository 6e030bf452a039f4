"""One line to the API server: the official client's configuration, credentials and connections; our reading.

The official client turns answers into objects of its own, which takes it 0.7 ms for each pod. So it is asked for the
raw answer (``_preload_content=False``), of which ``objects`` reads what is needed.
"""

import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import urllib3

from operator_clients.web.heap import made_for_good

from .objects import ApiStatus
from .source import NoSuchObject, Refused, Unreachable

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, CoreV1Api, CustomObjectsApi

T = TypeVar("T")

CONNECT_S = 2.0
READ_S = 5.0
"""Without a byte for so long, an answer is given up."""
DEADLINE_S = 8.0
"""For one question, pages included. A read that is under way then ends within READ_S more."""
MAX_BYTES = 64 << 20
"""Of one answer. A page of 500 pods has 3 MiB."""
_CHUNK_BYTES = 1 << 18
RIGHTS_HINT = "docs/console-kubernetes.md has the rights that the console needs"


class Deadline:
    """A moment in monotonic time after which nothing more is read."""

    def __init__(self, seconds: float = DEADLINE_S) -> None:
        self._until = time.monotonic() + seconds

    def check(self) -> None:
        """Raises ``Unreachable`` when it has passed."""
        if time.monotonic() > self._until:
            raise Unreachable("the Kubernetes API server answers too slowly", "is it overloaded, or far away?")


class Connection:
    """Used from threads. The configuration is read with the first question, and anew when it was no good."""

    def __init__(self, kubeconfig: Path | None, context: str | None, threads: int) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._threads = threads
        self._api: ApiClient | None = None
        self._opening = threading.Lock()

    def core(self) -> "CoreV1Api":
        """The core API."""
        client = self._client()
        from kubernetes.client import CoreV1Api

        return CoreV1Api(client)

    def custom(self) -> "CustomObjectsApi":
        """APIs that the client has no classes for, like that of metrics."""
        client = self._client()
        from kubernetes.client import CustomObjectsApi

        return CustomObjectsApi(client)

    def read(
        self,
        ask: Callable[..., Any],
        *where: str,
        options: Mapping[str, Any] | None = None,
        deadline: Deadline | None = None,
        tail_bytes: int | None = None,
    ) -> bytes:
        """The body that a method of the client gets; of one that has no end, at least the last ``tail_bytes``.

        Raises ``Unreachable``, ``Refused``, ``NoSuchObject``.
        """
        from kubernetes.client.exceptions import ApiException
        from kubernetes.config import ConfigException

        deadline = deadline or Deadline()
        deadline.check()
        try:
            response = ask(*where, **(options or {}), _preload_content=False, _request_timeout=(CONNECT_S, READ_S))
            return _drained(response, deadline, tail_bytes)
        except ApiException as error:
            if error.status == 401:
                # A kubeconfig that was renewed since is read by the next question.
                self._api = None
            raise _told(error) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(
                f"the Kubernetes API server does not answer: {_short(error)}", "is it up, and reachable from here?"
            ) from error
        except ConfigException as error:
            # Credentials that are read anew when they expire.
            raise Refused(f"the Kubernetes credentials cannot be renewed: {_short(error)}") from error

    def close(self) -> None:
        """Close its connections."""
        if self._api is not None:
            self._api.close()

    def _client(self) -> "ApiClient":
        with self._opening:
            if self._api is None:
                self._api = self._opened()
            return self._api

    def _opened(self) -> "ApiClient":
        _load()
        import yaml  # type: ignore[import-untyped]  # its types are a package of their own
        from kubernetes.client import ApiClient, Configuration
        from kubernetes.config import (
            ConfigException,
            load_incluster_config,
            load_kube_config,
        )

        configuration = Configuration()
        # Ours is the cache that tides over; and a redirect must not carry the token somewhere else.
        configuration.retries = False
        configuration.connection_pool_maxsize = self._threads
        # Of paths in paths: /nodes/NAME/proxy/stats/summary. Names are checked before they get here.
        configuration.safe_chars_for_path_param = "/"
        named = str(self._kubeconfig) if self._kubeconfig else None
        try:
            try:
                if named or self._context:
                    load_kube_config(named, self._context, configuration, persist_config=False)
                else:
                    load_incluster_config(configuration)
            except ConfigException:
                if named or self._context:
                    raise
                load_kube_config(client_configuration=configuration, persist_config=False)
        except (ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, AttributeError) as error:
            # Also what becomes of a file that is YAML, but no kubeconfig.
            raise Refused(
                f"there is no usable Kubernetes configuration: {_short(error)}",
                "start operator-web with --kubeconfig FILE, set KUBECONFIG, or run it in the cluster",
            ) from error
        return ApiClient(configuration)


@functools.cache
def _load() -> None:
    """A quarter of a second of imports that a gateway without Kubernetes does not need, once for all.

    Nothing of the client is imported before this was done, in one thread: its parts import each other, and build their
    models, while they are loaded.
    """
    with made_for_good():
        import kubernetes.config  # noqa: F401
        from kubernetes.client import ApiClient, CoreV1Api, CustomObjectsApi  # noqa: F401  # each loads its part


def decoded(data: bytes, decoder: "msgspec.json.Decoder[T]", kind: str = "") -> T:
    """``data`` as an object of the API, of ``kind`` if one is named. Raises ``Unreachable``."""
    try:
        found = decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        start = data[:40].decode(errors="replace").strip().partition("\n")[0]
        raise Unreachable(
            f"what answers is not a Kubernetes API server: {start!r}",
            "does the kubeconfig lead to a proxy or a login page?",
        ) from error
    if kind and getattr(found, "kind", "") != kind:
        raise Unreachable(f"the Kubernetes API server answered with {getattr(found, 'kind', '')!r}, not with {kind!r}")
    return found


def _drained(response: Any, deadline: Deadline, tail_bytes: int | None) -> bytes:
    """Read in pieces that are as large as what has come: a server that drips cannot outlast the deadline."""
    # urllib3 2; version 1, of kubernetes 28, has only what waits for the whole piece.
    read: Callable[[int], bytes] = getattr(response, "read1", response.read)
    parts: deque[bytes] = deque()
    size = 0
    try:
        while part := read(_CHUNK_BYTES):
            parts.append(part)
            size += len(part)
            while tail_bytes is not None and size - len(parts[0]) >= tail_bytes:
                size -= len(parts.popleft())
            if size > MAX_BYTES:
                raise Unreachable(f"the Kubernetes API server sent more than {MAX_BYTES >> 20} MiB")
            deadline.check()
    except BaseException:
        response.close()
        raise
    response.release_conn()
    return b"".join(parts)


_STATUS = msgspec.json.Decoder(ApiStatus)


def _told(error: Any) -> Refused | Unreachable | NoSuchObject:
    """The error that stands for an answer that is not a success."""
    message = _message(error.body)
    match error.status:
        case 401:
            return Refused("the Kubernetes API server does not know us", "the token or certificate is wrong or expired")
        case 403:
            return Refused(f"the Kubernetes API server refuses: {message or 'forbidden'}", RIGHTS_HINT)
        case 400 | 404:
            return NoSuchObject(message or "not found")
        case 410:
            return Expired(message or "the list has changed too much while it was read")
        case 429:
            return Unreachable("the Kubernetes API server has too many requests", "it was asked too often, by whomever")
        case status if status and 300 <= status < 400:
            return Unreachable(f"what answers is not a Kubernetes API server: it sends elsewhere ({status})")
        case status:
            said = f": {message}" if message else ""
            return Unreachable(f"the Kubernetes API server fails{f' with {status}' if status else ''}{said}")


class Expired(Unreachable):
    """A list was read for so long that its state is gone: it has to be read from the start."""


def _message(body: Any) -> str:
    if not body:
        return ""
    data = body if isinstance(body, bytes) else str(body).encode()
    try:
        return _STATUS.decode(data).message[:300]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _short(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__
