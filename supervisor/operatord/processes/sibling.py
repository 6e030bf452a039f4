"""A fork whose child belongs to our parent.

The fork server forks on behalf of the daemon, which has to be the worker's parent to learn of its death and to reap it.
POSIX has no call for that, so one forks twice and lets the middle one end; the kernel then gives the worker to the next
subreaper, the daemon (``fork_twice``). That takes two copies of the page tables and two more processes that want a turn
on a processor: 2.3 ms on an idle machine, 9 on a busy one. Linux can do it at once (``CLONE_PARENT``, 0.7 ms), but
neither Python nor libc have a function that passes the flag on. So ``sibling_fork`` calls ``clone3`` itself, and does
around it what ``os.fork`` and libc's ``fork`` do:

- Python's own hooks before and after a fork are called; they are public (``PyOS_BeforeFork`` and its siblings).
- libc remembers the thread id of each thread in a place of its own, and uses it to tell who owns a recursive mutex. The
  kernel is asked to write the new id there (``CLONE_CHILD_SETTID``), as libc's ``fork`` asks it to. Where that place is
  nobody tells, so it is looked for: the one word behind ``pthread_self`` that holds our thread id.
- Handlers of ``pthread_atfork`` are not run. They put locks right that *other* threads had, and there are none here.

Where anything of this is not as expected (another libc, a seccomp filter without ``clone3``) there is no such fork, and
the caller forks twice.
"""

import ctypes
import errno
import os
import threading
from collections.abc import Callable

_SYS_CLONE3 = 435
"""The same on every architecture, as of all system calls since Linux 5.0."""
_CLONE_PARENT = 0x00008000
_CLONE_CHILD_SETTID = 0x01000000
_THREAD_WORDS = 512
"""How far into libc's description of a thread to look, in words of four bytes; glibc has it at 180."""

_libc = ctypes.PyDLL(None, use_errno=True)
"""PyDLL, since the interpreter lock must not be given up on the way into a fork."""
_hooks = ctypes.pythonapi


class _CloneArgs(ctypes.Structure):
    """``struct clone_args`` of clone(2)."""

    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            *("flags", "pidfd", "child_tid", "parent_tid", "exit_signal"),
            *("stack", "stack_size", "tls", "set_tid", "set_tid_size", "cgroup"),
        )
    ]


def sibling_fork() -> Callable[[], int] | None:
    """A function like ``os.fork`` whose child is the caller's sibling; None where that cannot be done.

    Call it from the only thread of the process. The child has the exit signal of the caller.
    """
    thread_id = _place_of_thread_id()
    if thread_id is None or not _has_clone3():
        return None
    # With CLONE_PARENT the exit signal is the caller's, and naming one is an error.
    asked = _CloneArgs(flags=_CLONE_PARENT | _CLONE_CHILD_SETTID, child_tid=thread_id)

    def fork() -> int:
        _hooks.PyOS_BeforeFork()
        pid = int(_libc.syscall(_SYS_CLONE3, ctypes.byref(asked), ctypes.sizeof(asked)))
        if pid == 0:
            _hooks.PyOS_AfterFork_Child()
            return 0
        problem = ctypes.get_errno()
        _hooks.PyOS_AfterFork_Parent()
        if pid < 0:
            raise OSError(problem, os.strerror(problem))
        return pid

    return fork


def fork_twice() -> int:
    """Like a fork whose child becomes the subreaper's: its pid here, 0 there."""
    reading, writing = os.pipe()
    intermediate = os.fork()
    if intermediate == 0:
        try:
            worker = os.fork()
            if worker == 0:
                os.close(reading)
                os.close(writing)
                return 0
            os.write(writing, str(worker).encode())
        except OSError:
            os._exit(1)
        os._exit(0)
    os.close(writing)
    try:
        os.waitpid(intermediate, 0)
        told = os.read(reading, 32)
    finally:
        os.close(reading)
    if not told:
        raise OSError("the intermediate could not fork")
    return int(told)


def _place_of_thread_id() -> int | None:
    """The address at which libc keeps the id of this thread; None when it is not the only candidate."""
    _libc.pthread_self.restype = ctypes.c_size_t
    thread: int = _libc.pthread_self()
    words = (ctypes.c_uint32 * _THREAD_WORDS).from_address(thread)
    ours = threading.get_native_id()
    places = [number for number, word in enumerate(words) if word == ours]
    return thread + 4 * places[0] if len(places) == 1 else None


def _has_clone3() -> bool:
    """A call that is wrong in every way tells whether anybody is there to refuse it."""
    _libc.syscall(_SYS_CLONE3, None, 0)
    return ctypes.get_errno() == errno.EINVAL
