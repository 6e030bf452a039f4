"""One run of ``operatorctl``: which daemon it talks to, and how it answers."""

import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from operator_clients.ctl.exits import Usage
from operator_protocol.codec import Body
from operator_protocol.endpoint import Endpoint, resolve_endpoint
from operator_protocol.errors import BadRequest

if TYPE_CHECKING:
    from operator_clients.ctl.feed import Feed

JOIN_S = 10.0
"""A daemon that answers a ping has this long to let us join."""
_PING_S = 5.0


class Session:
    """Asks the daemon, and prints either the document or the text of it."""

    def __init__(self, endpoint: str | None, *, key: str | None = None, as_json: bool) -> None:
        self.chosen = endpoint
        """The value of ``--endpoint``, if it was given."""
        self.as_json = as_json
        self._key = key
        self._endpoint: Endpoint | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Where the daemon is. What needs none (``replay``) does not fail because of it."""
        if self._endpoint is None:
            try:
                self._endpoint = resolve_endpoint(self.chosen, key=self._key)
            except BadRequest as error:
                raise Usage(error.message, error.hint) from error
        return self._endpoint

    def ask(self, cmd: str, args: Mapping[str, Any] | None = None, *, deadline_s: float = 10.0) -> Body:
        """Send a short command and return its result."""
        from operator_protocol.requests import Requester, unreachable  # pyzmq: not for --help or a typo

        address = self.endpoint.control
        if address.startswith("ipc://") and not os.access(address.removeprefix("ipc://"), os.F_OK):
            # ZeroMQ would try for a second; without a socket there is nobody to try for.
            raise unreachable(self.endpoint)
        with Requester(self.endpoint) as requester:
            return requester.command(cmd, args, deadline_s=deadline_s)

    def feed(self, topics: Iterable[str] | None, *, patient: bool = False) -> "Feed":
        """Join the bus for ``topics``. Raises ``DaemonUnreachable``, at once when nobody answers at all.

        A ``patient`` feed outlives the daemon that it began with.
        """
        from operator_clients.ctl.feed import Feed
        from operator_protocol.follow import Follower  # dataclasses and the models: only for who follows

        asked_at = float(self.ask("ping", deadline_s=_PING_S)["wall_ts"])
        follower = Follower(self.endpoint, topics=topics)
        try:
            follower.join(JOIN_S)
        except BaseException:
            follower.close()
            raise
        return Feed(follower, topics, patient=patient, asked_at=asked_at)

    def perform(self, cmd: str, args: Mapping[str, Any] | None = None, *, deadline_s: float = 60.0) -> Body:
        """Send a long command and wait for its outcome."""
        with self.feed(()) as feed:
            return feed.perform(cmd, args, deadline_s=deadline_s)

    def show(self, document: Mapping[str, Any], text: str | Iterable[str]) -> None:
        """Print the answer: ``document`` as JSON, or else ``text``."""
        if self.as_json:
            print(to_json(document))
            return
        for line in (text,) if isinstance(text, str) else text:
            print(line)

    def note(self, text: str) -> None:
        """Tell a person something that is not the answer; to standard error, and not under ``--json``."""
        if not self.as_json:
            print(text, file=sys.stderr, flush=True)


def to_json(document: object) -> str:
    """One line of JSON."""
    import json  # pyzmq has imported it already, --help has not

    return json.dumps(document, ensure_ascii=False, separators=(", ", ": "), default=str)
