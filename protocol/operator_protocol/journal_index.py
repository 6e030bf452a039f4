"""What is where in a journal: made in one pass over the headers, so that no later look has to read it all again.

An *entry* is a frame that was published, or a checkpoint. Time runs on the daemon's monotonic clock, from the first
entry on. Between two boots nothing was published, so that pause is shortened to ``LONGEST_PAUSE_S``: a journal of two
demos a day apart is as long as the two demos.
"""

import math
from array import array
from bisect import bisect_left, insort
from collections.abc import Callable
from enum import Enum
from typing import Literal, NamedTuple

from operator_protocol import topics
from operator_protocol.codec import Body, unpack, unpack_map
from operator_protocol.errors import BadRequest
from operator_protocol.frames import Header, header_from_wire, told_late_s
from operator_protocol.journal import CHECKPOINT, decode_checkpoint, is_log, split_record
from operator_protocol.state import WORKLOAD_WINDOW

LONGEST_PAUSE_S = 5.0
RESTARTED = "the daemon restarted"
"""The reason that a live client gives for it, too."""


class Kind(Enum):
    """What an entry may do to the state, and so which of many may be left out in a jump."""

    STATELESS = 0
    """Nothing."""
    LAST_OF_TOPIC = 1
    """The last one of its topic says it all (``process.<name>.state``)."""
    HEALTH = 2
    """The last one, and the last one with nodes."""
    SAMPLE = 3
    """The last ones, as many as the window holds."""
    IN_ORDER = 4
    """Each of them counts."""
    CHECKPOINT = 5


class Turn(NamedTuple):
    """An entry where the state is not simply that of the entry before, changed by a frame."""

    reason: str
    """What a live client would have said at its resync; empty for the first entry."""
    begins: bool
    """True when nothing from before is valid any more: the first entry, a restart, a checkpoint that fills a gap."""
    boot_id: str


class Mark(NamedTuple):
    """Something to point at on the time axis."""

    kind: Literal["fault", "detection", "recovery", "restart", "gap"]
    at_s: float


_MARKED: dict[str, Literal["fault", "detection", "recovery"]] = {
    topics.FAULT_INJECTED: "fault",
    topics.VIOLATION_OPENED: "detection",
    topics.FAULT_RECOVERED: "recovery",
}


def kind_of(topic: str) -> Kind:
    """How frames of ``topic`` bear on the state. What is not known is taken in order, which is never wrong."""
    if topic == CHECKPOINT:
        return Kind.CHECKPOINT
    if topic in (topics.HEARTBEAT, topics.COMMAND_FINISHED) or is_log(topic):
        return Kind.STATELESS
    if topic == topics.CLUSTER_HEALTH:
        return Kind.HEALTH
    if topic == topics.WORKLOAD_SAMPLE:
        return Kind.SAMPLE
    return Kind.LAST_OF_TOPIC if topic.startswith("process.") and topic.endswith(".state") else Kind.IN_ORDER


class JournalIndex:
    """Where each entry stands, when it happened, and which ones matter. Columns, since there may be a million."""

    def __init__(self) -> None:
        self.files = array("H")
        self.positions = array("Q")
        self.lengths = array("I")
        self.at_s = array("d")
        """Seconds since the first entry; never decreases."""
        self.wall = array("d")
        self.topic_ids = array("I")
        self.topics: list[str] = []
        self.kinds: list[Kind] = []
        """Of each topic."""
        self.telling = array("Q")
        """Entries that a reader wants to hear of: all in order, and changes of a process."""
        self.turns: dict[int, Turn] = {}
        self.bases: list[int] = []
        """Entries from which the state can be built without what is before them."""
        self.boots: dict[str, float] = {}
        """Monotonic time of each boot at which ``at_s`` was zero, in the order in which they came."""
        self.marks: list[Mark] = []
        self.missing = 0
        """Frames that were published and are not here."""
        self.unreadable = 0
        self.filters: set[str] = set()
        """Topics that a recording was restricted to; empty if it was not."""
        self.label = ""
        """What whoever recorded it wants every viewer to read; of the last checkpoint that has one."""
        self.starts_blind = False
        """True when what was so before the first entry is not known."""
        self._ids: dict[bytes, int] = {}
        self._boot_id = ""
        self._known: dict[int, int] = {}
        """Last ``topic_seq`` of each topic in this boot."""
        self._knows_all = False
        """Whether a topic that is not known has had no frame yet."""
        self._processes: dict[int, tuple[object, ...]] = {}

    def __len__(self) -> int:
        return len(self.at_s)

    def add(self, file: int, position: int, payload: bytes) -> None:
        """Take in the next record."""
        try:
            parts = split_record(payload)
            header = _header(parts[1])
            topic_id = self._topic_id(parts[0])
            if self.topics[topic_id].startswith("join."):
                return  # the echo of some client's join, which no other client sees
            snapshot = decode_checkpoint(parts).body if self.kinds[topic_id] is Kind.CHECKPOINT else None
        except BadRequest:
            self.unreadable += 1
            return
        begins = self._place(header)
        if snapshot is not None:
            self._checkpoint(snapshot, begins=begins)
        else:
            self._frame(header, topic_id, parts[2])
        self.files.append(file)
        self.positions.append(position)
        self.lengths.append(len(payload))
        self.wall.append(header.wall_ts)
        self.topic_ids.append(topic_id)

    def needed(self, start: int, stop: int, look: Callable[[int], bool | None]) -> list[int]:
        """Those entries from ``start`` to before ``stop`` that the state after them depends on, in order.

        ``look`` reads an entry: None if that cannot be done, else whether it says which nodes there are.
        """
        chosen = set(self.telling[bisect_left(self.telling, start) : bisect_left(self.telling, stop)])
        seen: set[int] = set()
        samples, kinds, topic_ids = 0, self.kinds, self.topic_ids
        health = nodes = False
        for entry in range(stop - 1, start - 1, -1):
            topic_id = topic_ids[entry]
            kind = kinds[topic_id]
            if kind is Kind.LAST_OF_TOPIC:
                if topic_id not in seen and look(entry) is not None:
                    seen.add(topic_id)
                    chosen.add(entry)
            elif kind is Kind.HEALTH:
                if not nodes and (has_nodes := look(entry)) is not None:
                    nodes = has_nodes
                    if nodes or not health:
                        chosen.add(entry)
                    health = True
            elif kind is Kind.SAMPLE and samples < WORKLOAD_WINDOW and look(entry) is not None:
                samples += 1
                chosen.add(entry)
        return sorted(chosen)

    def _topic_id(self, name: bytes) -> int:
        topic_id = self._ids.get(name)
        if topic_id is None:
            try:
                topic = name.decode("utf-8")
            except UnicodeDecodeError as error:
                raise BadRequest("a topic that is not UTF-8") from error
            topic_id = self._ids[name] = len(self.topics)
            self.topics.append(topic)
            self.kinds.append(kind_of(topic))
        return topic_id

    def _place(self, header: Header) -> bool:
        """Give the entry its time; True when it is the first of a boot."""
        last_s = self.at_s[-1] if self.at_s else 0.0
        if header.boot_id == self._boot_id:
            self.at_s.append(max(last_s, header.mono_ts - self.boots[header.boot_id]))
            return False
        entry = len(self)
        pause_s = min(max(header.wall_ts - self.wall[-1], 0.0), LONGEST_PAUSE_S) if entry else 0.0
        offset = self.boots.setdefault(header.boot_id, header.mono_ts - last_s - pause_s)
        self.at_s.append(max(last_s, header.mono_ts - offset))
        self._boot_id = header.boot_id
        self._known, self._knows_all = {}, header.seq == 1
        self._processes = {}
        self.turns[entry] = Turn(RESTARTED if entry else "", True, header.boot_id)
        self.bases.append(entry)
        if entry:
            self._mark("restart")
        return True

    def _frame(self, header: Header, topic_id: int, body: bytes) -> None:
        entry, topic, kind = len(self) - 1, self.topics[topic_id], self.kinds[topic_id]
        if not entry and not self._knows_all:
            self.starts_blind = True
        before = self._known.get(topic_id, 0 if self._knows_all else None)
        self._known[topic_id] = header.topic_seq
        if before is not None and header.topic_seq > before + 1:
            self._missed(entry, header.topic_seq - before - 1, begins=False)
        if kind is Kind.IN_ORDER:
            self.telling.append(entry)
            if topic in _MARKED:
                late_s = _told_late_s(header, body) if topic == topics.FAULT_INJECTED else 0.0
                self._mark(_MARKED[topic], late_s)
        elif kind is Kind.LAST_OF_TOPIC and self._changed(topic_id, body):
            self.telling.append(entry)

    def _changed(self, topic_id: int, body: bytes) -> bool:
        """Whether a process is not as its frame before said, but for the figures that move all the time."""
        try:
            process = unpack_map(body)
        except BadRequest:
            return False
        now = process.get("state"), process.get("pid"), process.get("restarts")
        before, self._processes[topic_id] = self._processes.get(topic_id), now
        return now != before

    def _checkpoint(self, snapshot: Body, *, begins: bool) -> None:
        entry = len(self) - 1
        wanted, last = snapshot.get("topics"), snapshot.get("topic_seqs")
        wanted = [str(topic) for topic in wanted] if isinstance(wanted, list) else None
        self.filters.update(wanted or ())
        if isinstance(label := snapshot.get("label"), str) and label:
            self.label = label
        known = {
            self._topic_id(str(topic).encode()): seq
            for topic, seq in (last.items() if isinstance(last, dict) else ())
            if isinstance(seq, int) and topics.matches(str(topic), wanted)
        }
        if not begins:
            default = 0 if self._knows_all else None
            gaps = ((seq, self._known.get(topic_id, default)) for topic_id, seq in known.items())
            self._missed(entry, sum(max(0, seq - before) for seq, before in gaps if before is not None), begins=True)
            self.bases.append(entry)
            if not self._knows_all:
                self.turns.setdefault(entry, Turn("from here on the whole state is known", True, self._boot_id))
        self._known, self._knows_all = known, True

    def _missed(self, entry: int, count: int, *, begins: bool) -> None:
        if count > 0:
            self.missing += count
            self._mark("gap")
            # At a restart the turn is there already, and says more.
            self.turns.setdefault(
                entry, Turn(f"{count} frame{'s' if count > 1 else ''} missing here", begins, self._boot_id)
            )

    def _mark(self, kind: Literal["fault", "detection", "recovery", "restart", "gap"], late_s: float = 0.0) -> None:
        mark = Mark(kind, max(0.0, self.at_s[-1] - late_s))
        insort(self.marks, mark, key=lambda one: one.at_s)


def _told_late_s(header: Header, body: bytes) -> float:
    """How long before its frame a fault was injected: a monitor can be quicker than the word that it is in force."""
    try:
        injected_at = unpack_map(body).get("injected_at")
    except BadRequest:
        return 0.0
    return told_late_s(header.wall_ts, injected_at if isinstance(injected_at, float | int) else None)


def _header(data: bytes) -> Header:
    """A header whose times can be compared. Raises ``BadRequest``."""
    header = header_from_wire(unpack(data))
    if not (math.isfinite(header.wall_ts) and math.isfinite(header.mono_ts)):
        raise BadRequest("a header with impossible times")
    return header
