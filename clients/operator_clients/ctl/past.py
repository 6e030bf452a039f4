"""What has happened since a moment: from the journal of a daemon on this host, or from what the daemon remembers.

The journal has everything. A daemon on another host gives what it remembers, its tails; that is bounded, so it is used
only if every frame that was asked for is provably among them.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from operator_clients.ctl.output import clock
from operator_clients.ctl.printing import warn
from operator_protocol.codec import unpack
from operator_protocol.errors import BadRequest, NotFound, Unavailable
from operator_protocol.frames import Frame, Header, decode_frame, header_from_wire
from operator_protocol.journal import CHECKPOINT, Records, journal_files, open_journal, split_record


class Past:
    """The frames in a journal since a moment, oldest first; iterate once."""

    def __init__(self, directory: Path, since: float) -> None:
        self.last: dict[str, int] = {}
        """Of each boot, the number of the last frame that the journal has; known after the iteration."""
        self._since = since
        self._files = journal_files(directory)
        if not self._files:
            raise NotFound(f"no journal can be read in {directory}", "is that directory on this host, and yours?")

    def __iter__(self) -> Iterator[Frame]:
        boot_id = ""
        for path in self._recent():
            for frame in self._frames(path):
                header = frame.header
                if header.wall_ts < self._since:
                    continue
                if boot_id not in ("", header.boot_id):
                    warn(f"{clock(header.wall_ts)} the daemon restarted")
                boot_id = header.boot_id
                yield frame

    def _recent(self) -> list[Path]:
        """Without the files that are older as a whole, that is, whose successor is."""
        kept: list[Path] = []
        first: Header | None = None
        for path in reversed(self._files):
            header = _first_header(path)
            if header is None:
                continue
            kept.append(path)
            first = header
            if header.wall_ts <= self._since:
                break
        # A checkpoint, which has no number of its own, holds what came before it.
        if first is not None and first.wall_ts > self._since and first.seq > min(first.topic_seq, 1):
            warn(f"the journal goes back to {clock(first.wall_ts)} only")
        return kept[::-1]

    def _frames(self, path: Path) -> Iterator[Frame]:
        with open_journal(path) as file:
            records = Records(file)
            for _, payload in records:
                try:
                    parts = split_record(payload)
                    header = header_from_wire(unpack(parts[1]))
                    # The echo of a join, or a body that nobody can read: nothing to show, but not missing either.
                    self.last[header.boot_id] = header.seq
                    frame = None if parts[0] == CHECKPOINT.encode() else decode_frame(parts)
                except BadRequest:
                    continue
                if frame is not None and not frame.topic.startswith("join."):
                    yield frame
            if records.flaw == "damaged":
                warn(f"{path} is damaged; the rest of that file is left out")


def check_remembered(snapshot: Mapping[str, Any], since: float, wants: Callable[[str], bool]) -> None:
    """Check that the tails of ``snapshot`` hold every frame of the wanted topics since then. Raises ``Unavailable``."""
    kept: dict[str, Header] = {}
    """The oldest one of an unbroken series up to the last, by topic."""
    for topic, fields, _ in sorted(snapshot.get("tails") or [], key=lambda tail: -int(tail[1][2])):
        header = header_from_wire(fields)
        last = kept[topic].topic_seq if topic in kept else snapshot["topic_seqs"].get(topic, 0) + 1
        if header.topic_seq == last - 1:
            kept[topic] = header
    for topic, last in snapshot["topic_seqs"].items():
        oldest = kept.get(topic)
        if wants(topic) and last and (oldest is None or (oldest.topic_seq > 1 and oldest.wall_ts > since)):
            raise Unavailable(
                f"the past of {topic} is in the journal of the daemon, which is not on this host",
                "ask there, or choose with --topic what a daemon remembers, like violation. or ticket.",
            )


def _first_header(path: Path) -> Header | None:
    """Header of the first record; None for a file without one, or one that rotation has just taken away."""
    try:
        with open_journal(path) as file:
            for _, payload in Records(file):
                return header_from_wire(unpack(split_record(payload)[1]))
    except (BadRequest, NotFound):
        return None
    return None
