"""How a record is kept in Valkey: a hash for the record, sorted sets for the order.

As in YCSB's Redis binding, record ``user123…`` is the hash of that name with one entry for each field, and a sorted
set lists the keys for scans. There the set is one key, ``_indices``; in a cluster that would send every insert and
every scan to one shard. Here it is cut into 16 ranges of the hashed key, ``_indices:0`` to ``_indices:15``, each in a
slot of its own; a scan that reaches the end of one goes on in the next. A key's score is its number, so records are
scanned in the order of their numbers.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from operatord.ycsb.binding import Status
from operatord.ycsb.cluster import Session, TimeIsUp
from operatord.ycsb.connection import ErrorReply, pack
from operatord.ycsb.topology import key_slot

INDEX_RANGES = 16
_RANGE_SHIFT = 59
"""A hashed key number has 63 bits; the upper four choose the range."""

_KEY_PREFIX = "user"
_INDEX_KEYS = [f"_indices:{number}" for number in range(INDEX_RANGES)]
_INDEX_SLOTS = [key_slot(key.encode()) for key in _INDEX_KEYS]


def index_range(key: str) -> tuple[int, int]:
    """Which index a key belongs into, and its score there."""
    number = int(key.removeprefix(_KEY_PREFIX))
    return min(number >> _RANGE_SHIFT, INDEX_RANGES - 1), number


class ValkeyBinding:
    """One client's way to a Valkey Cluster."""

    def __init__(self, session: Session, on_error: Callable[[str], None]) -> None:
        self._session = session
        self._on_error = on_error

    async def read(self, key: str, fields: Sequence[str] | None) -> Status:
        """``HGETALL``, or ``HMGET`` for some fields. A record without any of them is not found."""
        return await self._guarded(self._read(key, fields))

    async def scan(self, start_key: str, count: int, fields: Sequence[str] | None) -> Status:
        """``ZRANGE`` on the index, then the records it names, those of one node in one go."""
        return await self._guarded(self._scan(start_key, count, fields))

    async def update(self, key: str, values: Mapping[str, bytes]) -> Status:
        """``HSET`` of the fields."""
        return await self._guarded(self._update(key, values))

    async def insert(self, key: str, values: Mapping[str, bytes]) -> Status:
        """``HSET`` of all fields, then ``ZADD`` to the index: what is listed exists."""
        return await self._guarded(self._insert(key, values))

    async def close(self) -> None:
        """Close this client's connections."""
        self._session.close()

    async def _guarded(self, work: Awaitable[Status]) -> Status:
        try:
            return await work
        except TimeIsUp:
            return Status.SERVICE_UNAVAILABLE
        except ErrorReply as error:
            self._on_error(str(error))
            return Status.ERROR

    async def _read(self, key: str, fields: Sequence[str] | None) -> Status:
        until = self._session.time_limit()
        reply = await self._session.execute(key_slot(key.encode()), _read_command(key, fields), until)
        return Status.OK if isinstance(reply, list) and any(item is not None for item in reply) else Status.NOT_FOUND

    async def _update(self, key: str, values: Mapping[str, bytes]) -> Status:
        until = self._session.time_limit()
        await self._session.execute(key_slot(key.encode()), _write_command(key, values), until)
        return Status.OK

    async def _insert(self, key: str, values: Mapping[str, bytes]) -> Status:
        until = self._session.time_limit()
        await self._session.execute(key_slot(key.encode()), _write_command(key, values), until)
        number, score = index_range(key)
        await self._session.execute(_INDEX_SLOTS[number], pack("ZADD", _INDEX_KEYS[number], score, key), until)
        return Status.OK

    async def _scan(self, start_key: str, count: int, fields: Sequence[str] | None) -> Status:
        until = self._session.time_limit()
        first, score = index_range(start_key)
        keys: list[str] = []
        for number in range(first, INDEX_RANGES):
            lowest = str(score) if number == first else "-inf"
            wanted = count - len(keys)
            command = pack("ZRANGE", _INDEX_KEYS[number], lowest, "+inf", "BYSCORE", "LIMIT", 0, wanted)
            reply = await self._session.execute(_INDEX_SLOTS[number], command, until)
            if isinstance(reply, list):
                keys.extend(key.decode() for key in reply)
            if len(keys) >= count:
                break
        if not keys:
            return Status.NOT_FOUND
        commands = [(key_slot(key.encode()), _read_command(key, fields)) for key in keys]
        await self._session.execute_all(commands, until)
        return Status.OK


def _read_command(key: str, fields: Sequence[str] | None) -> bytes:
    return pack("HGETALL", key) if fields is None else pack("HMGET", key, *fields)


def _write_command(key: str, values: Mapping[str, bytes]) -> bytes:
    words: list[str | bytes] = ["HSET", key]
    for field, value in values.items():
        words.append(field)
        words.append(value)
    return pack(*words)
