"""What a chapter is, and the two kinds of chapter that every story has: one that breaks, one that repairs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from operator_protocol.errors import NotFound
from operator_protocol.models import Action, Scalar
from operatord.clock import Clock
from operatord.demo.catalogue import load_catalogue
from operatord.demo.narration import Narrator, Words
from operatord.demo.signs import all_of
from operatord.demo.telling import Scene
from operatord.faults.desk import DEFAULT_COUNTDOWN_S, DEFAULT_KIND, FaultDesk
from operatord.faults.targets import RANDOM
from operatord.faults.tools import Sleep

ENGLISH = Narrator(load_catalogue())
STEP_KEYS = ENGLISH.catalogue("common.step")
WITHIN_S = 30.0
"""For what a chapter expects; later it is overdue."""
_AGENT_S = 35.0
"""For the agent's repair; its actions are verified within 30 s."""
_BEGIN_S = 4.0
"""For its action to be there: the proposal follows the diagnosis when that is not preliminary any more."""
_SEEN_S = 5.0
"""For a look to show that nothing is left, after its action is over."""
_POLL_S = 0.2


class Load(Protocol):
    """The load, as a story handles it."""

    @property
    def running(self) -> bool:
        """Whether the load is wanted."""

    async def start(self) -> None:
        """Start it; running already is success."""

    async def stop(self) -> None:
        """Stop it; not running is success."""


class Agent(Protocol):
    """The agent, as a story handles it: it may repair by itself what it has diagnosed."""

    @property
    def executes(self) -> bool:
        """Whether it may do anything without being asked."""

    def pending(self) -> list[Action]:
        """Its actions that are not over."""

    def release(self) -> None:
        """What waited for the story may begin."""


@dataclass(frozen=True, slots=True)
class Story:
    """What chapters act upon."""

    desk: FaultDesk
    load: Load
    agent: Agent | None = None
    clock: Clock = time.monotonic
    sleep: Sleep = asyncio.sleep


Effect = Callable[[Story], Awaitable[None]]


def _never(_: Story) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Chapter:
    """One chapter. Words and expectations are functions of the ``Scene``, so they follow what really happens."""

    title: str
    narration: Words
    """At most four lines of at most 70 characters: what happens, and what to watch."""
    key_hint: str = STEP_KEYS
    on_enter: Effect | None = None
    """What entering it brings about, unless ``in_force`` says that this is the case already."""
    auto_advance: float | None = None
    """Seconds from the moment its expectation came true to the next chapter; None waits for a person."""
    blocks_advance: bool = False
    """True: no way on while ``on_enter`` works, nor after it failed."""
    expectation: Callable[[Scene], bool] | None = None
    """What has to come true for the chapter to have shown what it is for."""
    within_s: float = WITHIN_S
    """For that, from when there is nothing left to do; later the chapter says so, and offers the way back."""
    in_force: Callable[[Story], bool] = _never
    undo: Effect | None = None
    """Takes the effect back when the story leaves the chapter backwards."""
    undo_only_own: bool = False
    """True: an effect that was there before this story came along is left alone."""
    needs: tuple[str, ...] = ()
    """Titles of earlier chapters without whose effect this one shows nothing: a jump brings them about first."""
    busy_hint: str = ENGLISH.catalogue("common.wait")
    """The key hint while ``on_enter`` works."""
    notes: str = ""
    """For the presenter."""
    breaks: bool = False
    """True: its effect is a fault, which is that of this chapter and of no other."""
    holds_actions: bool = False
    """True: while the fault is in force, what the agent may do by itself waits for a later chapter."""


def create_load_chapter(title: str, *, narrator: Narrator = ENGLISH) -> Chapter:
    """A chapter that starts the load; left backwards, it stops a load that it started."""

    async def start(story: Story) -> None:
        await story.load.start()

    async def stop(story: Story) -> None:
        await story.load.stop()

    return Chapter(
        title,
        narrator.load,
        on_enter=start,
        expectation=all_of(("baseline-known",)),
        in_force=lambda story: story.load.running,
        undo=stop,
        undo_only_own=True,
        busy_hint=narrator.catalogue("common.wait"),
    )


def create_fault_chapter(
    title: str,
    *,
    kind: str = DEFAULT_KIND,
    target: str = RANDOM,
    countdown_s: float = DEFAULT_COUNTDOWN_S,
    params: Mapping[str, Scalar] | None = None,
    needs: tuple[str, ...] = (),
    narrator: Narrator = ENGLISH,
) -> Chapter:
    """A chapter that breaks something after a countdown, unless something is broken already; blocks until it is done.

    Left backwards, everything that is owed is recovered.
    """

    async def inject(story: Story) -> None:
        await story.desk.inject(kind, target, countdown_s=countdown_s, params=params)

    return Chapter(
        title,
        narrator.fault,
        on_enter=inject,
        blocks_advance=True,
        expectation=all_of(("fault-injected",)),
        in_force=lambda story: not nothing_owed(story),
        undo=recover,
        needs=needs,
        holds_actions=True,
        busy_hint=narrator.catalogue("fault.busy"),
        breaks=True,
    )


def create_recovery_chapter(
    title: str, *, linger_s: float | None = 3.0, agent_first: bool = True, narrator: Narrator = ENGLISH
) -> Chapter:
    """A chapter that has everything owed repaired, and goes on ``linger_s`` after the load is back where it was.

    By the agent, if it may act by itself; what that does not repair in time, or without ``agent_first``, is recovered.
    """
    return Chapter(
        title,
        narrator.recovery,
        on_enter=repair if agent_first else recover,
        auto_advance=linger_s,
        blocks_advance=True,
        expectation=all_of(("nothing-owed", "load-is-back")),
        in_force=nothing_owed,
        busy_hint=narrator.catalogue("recovery.busy"),
    )


def find_chapter(chapters: Sequence[Chapter], wanted: int | str) -> int:
    """The index of ``wanted``: an index from 0, a title, or the beginning of one that no other title has.

    Raises ``NotFound`` with the chapters there are.
    """
    titles = [chapter.title for chapter in chapters]
    if isinstance(wanted, int):
        if 0 <= wanted < len(titles):
            return wanted
    else:
        folded = wanted.strip().casefold()
        starts = [index for index, title in enumerate(titles) if title.casefold().startswith(folded)]
        exact = [index for index in starts if titles[index].casefold() == folded]
        if folded and len(exact or starts) == 1:
            return (exact or starts)[0]
    listed = ", ".join(f"{index} {title}" for index, title in enumerate(titles))
    raise NotFound(f"no chapter is called {wanted!r}", f"there are: {listed}")


async def recover(story: Story) -> None:
    """Recover everything owed."""
    await story.desk.recover()


async def repair(story: Story) -> None:
    """Give the agent its turn, then recover what is still owed."""
    if story.agent is not None and story.agent.executes:
        story.agent.release()
        await _repaired(story, story.agent)
    await recover(story)


async def _repaired(story: Story, agent: Agent) -> None:
    """Return when nothing is owed any more, or the agent does nothing about it, or has had its time."""
    begun = idle_since = story.clock()
    acted = False
    while story.desk.owed():
        now, broken = story.clock(), {fault.target for fault in story.desk.owed()}
        if any(one.target in broken and one.status in ("approved", "running") for one in agent.pending()):
            acted, idle_since = True, now
        if now - begun >= _AGENT_S or now - idle_since >= (_SEEN_S if acted else _BEGIN_S):
            return
        await story.sleep(_POLL_S)


def nothing_owed(story: Story) -> bool:
    """True when nothing is broken, nor about to be."""
    return not story.desk.owed() and not story.desk.counting_down()
