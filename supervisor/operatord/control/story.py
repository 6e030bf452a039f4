"""Commands on the demo: ``next, previous, goto``."""

from dataclasses import dataclass
from typing import Any

from operator_protocol.codec import Body
from operator_protocol.records import to_body
from operatord.control.context import Context
from operatord.control.registry import Command, NoArgs


@dataclass(frozen=True, slots=True)
class GotoArgs:
    """A chapter by index from 0, or by its title."""

    chapter: int | str


async def next_chapter(context: Context, _: NoArgs) -> Body:
    """Enter the next chapter."""
    return {"chapter": to_body(await context.director.next())}


async def previous_chapter(context: Context, _: NoArgs) -> Body:
    """Go back one chapter, undoing what this one owes."""
    return {"chapter": to_body(await context.director.previous())}


async def goto_chapter(context: Context, args: GotoArgs) -> Body:
    """Enter any chapter."""
    return {"chapter": to_body(await context.director.goto(args.chapter))}


COMMANDS: tuple[Command[Any], ...] = (
    Command("next", NoArgs, next_chapter),
    Command("previous", NoArgs, previous_chapter),
    Command("goto", GotoArgs, goto_chapter),
)
