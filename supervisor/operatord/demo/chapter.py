"""What a chapter is, and the two kinds of chapter that every story has: one that breaks, one that repairs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from operator_protocol.errors import NotFound
from operator_protocol.models import Action
from operatord.clock import Clock
from operatord.demo import narration
from operatord.demo.telling import Scene
from operatord.faults.desk import DEFAULT_COUNTDOWN_S, DEFAULT_KIND, FaultDesk
from operatord.faults.targets import RANDOM
from operatord.faults.tools import Sleep

STEP_KEYS = "SPACE next · ← back"
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
Words = Callable[[Scene], str]


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
    in_force: Callable[[Story], bool] = _never
    undo: Effect | None = None
    """Takes the effect back when the story leaves the chapter backwards."""
    undo_only_own: bool = False
    """True: an effect that was there before this story came along is left alone."""
    needs: tuple[str, ...] = ()
    """Titles of earlier chapters without whose effect this one shows nothing: a jump brings them about first."""
    busy_hint: str = "one moment…"
    """The key hint while ``on_enter`` works."""
    holds_actions: bool = False
    """True: while the fault is in force, what the agent may do by itself waits for a later chapter."""


def create_fault_chapter(
    title: str,
    *,
    kind: str = DEFAULT_KIND,
    target: str = RANDOM,
    countdown_s: float = DEFAULT_COUNTDOWN_S,
    needs: tuple[str, ...] = (),
) -> Chapter:
    """A chapter that breaks something after a countdown, unless something is broken already; blocks until it is done.

    Left backwards, everything that is owed is recovered.
    """

    async def inject(story: Story) -> None:
        await story.desk.inject(kind, target, countdown_s=countdown_s)

    return Chapter(
        title,
        narration.fault,
        on_enter=inject,
        blocks_advance=True,
        expectation=lambda scene: scene.fault is not None,
        in_force=lambda story: not nothing_owed(story),
        undo=recover,
        needs=needs,
        holds_actions=True,
        busy_hint="r stops the countdown · ← back",
    )


def create_recovery_chapter(title: str, *, linger_s: float = 3.0) -> Chapter:
    """A chapter that has everything owed repaired, and goes on ``linger_s`` after the load is back where it was.

    By the agent, if it may act by itself; what that does not repair in time is recovered.
    """
    return Chapter(
        title,
        narration.recovery,
        on_enter=repair,
        auto_advance=linger_s,
        blocks_advance=True,
        expectation=lambda scene: not scene.owed and scene.load_is_back,
        in_force=nothing_owed,
        busy_hint="bringing it back…",
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
