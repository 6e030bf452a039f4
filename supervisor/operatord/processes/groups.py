"""Signalling and ending process groups without ever hitting a stranger.

A group is named by its leader's pid and start time. While the leader exists, as a zombie too, its pid cannot be given
to anyone else, so the group may be signalled as a whole. Once the leader has been reaped the number stays taken as
long as the group has members, but a group that became empty may come back as someone else's: then each member is
looked at and signalled by itself, through a pidfd.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from operatord.clock import Clock
from operatord.procfs import ProcessId, ProcessStat, group_members, read_stat

_POLL_S = (0.002, 0.05)
"""First and longest pause between two looks at a group that lost its leader: the kernel tells nobody when it ends."""


def signal_process(process: ProcessId, signum: int) -> bool:
    """Signal that very process; False when it is gone."""
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        # The descriptor pins whatever it was opened on; is that the one that was meant?
        stat = read_stat(process.pid)
        if stat is None or stat.id != process:
            return False
        signal.pidfd_send_signal(pidfd, signum)
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    return True


def signal_group(leader: ProcessId, signum: int) -> bool:
    """Signal every member of the group that ``leader`` leads or led; False when there is none left."""
    stat = read_stat(leader.pid)
    if stat is not None and stat.id != leader:
        return False
    if leader.pid <= 1 or leader.pid == os.getpgrp():
        raise ValueError(f"will not signal process group {leader.pid}")
    if stat is not None and stat.pgrp == leader.pid:
        with suppress(ProcessLookupError):
            os.killpg(leader.pid, signum)
            return True
        return False
    results = [signal_process(member.id, signum) for member in living_members(leader)]
    return any(results)


def living_members(leader: ProcessId) -> list[ProcessStat]:
    """Members of the group that are not zombies; empty when its number now belongs to another group."""
    now = read_stat(leader.pid)
    if now is not None and now.id != leader:
        return []
    return [member for member in group_members(leader.pid) if member.alive and member.start_time >= leader.start_time]


async def end_group(
    leader: ProcessId,
    *,
    timeout_s: float,
    kill_timeout_s: float = 5.0,
    stop_signal: int = signal.SIGTERM,
    clock: Clock = time.monotonic,
    reap: Callable[[], None] = lambda: None,
) -> bool:
    """``stop_signal``, then KILL after ``timeout_s``, until the group is empty, even when its leader goes first.

    A stopped process (SIGSTOP) is continued, so that it can obey. ``reap`` is called while waiting: the dead of the
    group may have become children of the caller. False when something is still there ``kill_timeout_s`` after the KILL
    (it hangs in the kernel).
    """
    if timeout_s > 0 and signal_group(leader, stop_signal):
        signal_group(leader, signal.SIGCONT)
        deadline = clock() + timeout_s
        await _leader_ended(leader, timeout_s)
        if await _emptied(leader, deadline, clock, reap):
            return True
    signal_group(leader, signal.SIGKILL)
    deadline = clock() + kill_timeout_s
    await _leader_ended(leader, kill_timeout_s)
    return await _emptied(leader, deadline, clock, reap, again=signal.SIGKILL)


async def _leader_ended(leader: ProcessId, timeout_s: float) -> None:
    """Wait until the leader has ended (it may still be a zombie), at most ``timeout_s``."""
    try:
        pidfd = os.pidfd_open(leader.pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    try:
        stat = read_stat(leader.pid)
        if stat is None or stat.id != leader:
            return
        loop.add_reader(pidfd, ended.set)
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), timeout_s)
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


async def _emptied(
    leader: ProcessId, deadline: float, clock: Clock, reap: Callable[[], None], again: int | None = None
) -> bool:
    pause, longest = _POLL_S
    while True:
        reap()
        if not _exists(leader.pid):
            return True
        if not living_members(leader):
            reap()  # those that became zombies between the two looks
            return True
        if again is not None:
            signal_group(leader, again)
        if clock() >= deadline:
            return False
        await asyncio.sleep(pause)
        pause = min(longest, pause * 2)


def _exists(pgrp: int) -> bool:
    """True while any process, a zombie too, is in the group: one system call instead of a walk through ``/proc``."""
    try:
        os.killpg(pgrp, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
