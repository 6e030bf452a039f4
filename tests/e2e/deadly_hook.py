"""Kills a daemon at a chosen step of a fault, from the inside and once; the product knows nothing of it.

A test copies this file as ``sitecustomize.py`` into a directory on the ``PYTHONPATH`` of a daemon. It acts in processes
that run ``operatord.daemon``, or ``operatord recover``, and there wraps the undo journal and the subject's control. The
fuse, a file, says in its first line who is to die where: ``PROGRAM STEP [keeper]``. That line is removed before the
blow. No line, no file; no file, no death.

The steps: ``intend``, ``injected`` and ``strike`` with ``:before`` or ``:after``, and ``inject`` and ``undo`` with a
number: at the so-manieth time that the work waits for something, or at its end, if it does not wait so often.
"""

import os
import signal
import sys
import types
from collections.abc import Callable, Coroutine, Generator
from functools import partial, wraps
from pathlib import Path
from typing import Any

FUSE = "OPERATOR_TEST_FUSE"
"""Environment variable with the path of the fuse."""

DAEMON, RECOVER = "daemon", "recover"


def program() -> str:
    """What this process is; empty when it is neither."""
    words = sys.orig_argv
    if "operatord.daemon" in words:
        return DAEMON
    return RECOVER if "operatord" in words and "recover" in words else ""


class Fuse:
    """Burns in one program, at one step."""

    def __init__(self, path: Path, me: str) -> None:
        self._path = path
        self._me = me

    def reached(self, here: Callable[[str], bool]) -> None:
        """Die if ``here`` says that this is the step."""
        try:
            first, *others = self._path.read_text().splitlines()
        except FileNotFoundError:
            return
        who, step, *also = first.split()
        if who != self._me or not here(step):
            return
        if others:
            self._path.write_text("\n".join(others))
        else:
            self._path.unlink()
        if also:
            os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def around(self, cls: type, name: str) -> None:
        """Two steps: before the method and after it."""
        original = getattr(cls, name)

        @wraps(original)
        def wrapped(*args: Any) -> None:
            self.reached(f"{name}:before".__eq__)
            original(*args)
            self.reached(f"{name}:after".__eq__)

        setattr(cls, name, wrapped)

    def within(self, cls: type, name: str) -> None:
        """As many steps as the method waits for something."""
        original = getattr(cls, name)

        @wraps(original)
        async def wrapped(*args: Any) -> Any:
            return await self._stepped(name, original(*args))

        setattr(cls, name, wrapped)

    @types.coroutine
    def _stepped(self, name: str, work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        waits = 0
        go_on: Callable[[], Any] = lambda: work.send(None)  # noqa: E731
        while True:
            try:
                waited_for = go_on()
            except StopIteration as end:
                self.reached(partial(_beyond, name, waits))
                return end.value
            waits += 1
            self.reached(f"{name}:{waits}".__eq__)
            try:
                answer = yield waited_for
            except BaseException as error:
                go_on = _throwing(work, error)
            else:
                go_on = _sending(work, answer)


def _sending(work: Coroutine[Any, Any, Any], answer: Any) -> Callable[[], Any]:
    return lambda: work.send(answer)


def _throwing(work: Coroutine[Any, Any, Any], error: BaseException) -> Callable[[], Any]:
    return lambda: work.throw(error)


def _beyond(name: str, waits: int, step: str) -> bool:
    which, _, number = step.partition(":")
    return which == name and int(number) > waits


def arm(fuse: Fuse) -> None:
    """Wrap what the steps of a fault are made of."""
    from operatord.faults.undo_journal import UndoJournal
    from operatord.subjects.valkey.control import ValkeyControl

    for name in ("intend", "injected", "strike"):
        fuse.around(UndoJournal, name)
    for name in ("inject", "undo"):
        fuse.within(ValkeyControl, name)


if __name__ == "sitecustomize" and (me := program()) and FUSE in os.environ:
    arm(Fuse(Path(os.environ[FUSE]), me))
