"""What a command is: a name, typed arguments, a handler, and whether it takes long."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest
from operator_protocol.records import from_body
from operatord.control.context import Context

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class NoArgs:
    """For commands without arguments."""


@dataclass(frozen=True, slots=True)
class Command(Generic[A]):
    """One command of the ``control`` socket."""

    name: str
    args: type[A]
    run: Callable[[Context, A], Awaitable[Body]]
    long: bool = False
    """Long work is answered ``accepted`` at once; its outcome comes as a ``command.finished`` frame."""
    reads: bool = False
    """It changes nothing, so a read key may send it, and it is not worth a line of the log."""

    async def __call__(self, context: Context, args: Mapping[str, Any]) -> Body:
        """Check ``args`` and run the handler."""
        try:
            parsed = from_body(self.args, args)
        except BadRequest as error:
            raise BadRequest(f"{self.name}: {error.message.removeprefix(self.args.__name__ + '.')}") from error
        return await self.run(context, parsed)
