"""A story as data: what a chapters file says, and what the built-in story is written in."""

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from operator_protocol.errors import BadRequest
from operator_protocol.models import Scalar
from operatord.demo.catalogue import placeholders
from operatord.demo.figures import FIGURES
from operatord.durations import parse_duration

EntryName = Literal["none", "start-load", "fault", "recover"]
Telling = Literal["welcome", "cluster_health", "load", "fault", "detection", "diagnosis", "recovery", "complete"]
SignName = Literal[
    "cluster-healthy",
    "load-running",
    "baseline-known",
    "load-degraded",
    "load-is-back",
    "counting-down",
    "fault-injected",
    "detected",
    "first-answer",
    "diagnosed",
    "agent-acts",
    "nothing-owed",
    "recovered",
]
TELLINGS: tuple[str, ...] = get_args(Telling)
WITHIN_S = 30.0
"""For what a chapter expects, unless it says otherwise."""
MAX_TITLE = 60
MAX_HINT = 60


def _seconds(value: object) -> float:
    try:
        return parse_duration(value)
    except BadRequest as error:
        raise ValueError(f"{error.message.removeprefix('duration: ')}; {error.hint}") from error


def _check_text(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    try:
        names = placeholders(text)
    except ValueError as error:
        raise ValueError(f"{error}; a figure is written {{ops}}, a brace {{{{") from error
    if unknown := sorted(names - FIGURES.keys()):
        raise ValueError(f"there is no figure {{{unknown[0]}}}; there are {', '.join(FIGURES)}")
    return text


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _cases(value: object) -> object:
    return [{"text": value}] if isinstance(value, str) else value


def _entry(value: object) -> object:
    return {"do": value} if isinstance(value, str) else value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=86_400)]
Signs = Annotated[tuple[SignName, ...], BeforeValidator(_listed)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Entry(_Part):
    """What entering a chapter brings about."""

    do: EntryName = "none"
    kind: str = ""
    """Of the fault; empty for that of ``[demo]``."""
    target: str = ""
    """Of the fault: a node, a role, ``random``; empty for that of ``[demo]``."""
    params: dict[str, Scalar] = {}
    countdown: Annotated[Seconds, Field(le=3_600)] | None = None
    """None for that of ``[faults]``."""
    agent_first: StrictBool = True
    """Of a recovery: an agent that may act by itself has its turn before."""


class Case(_Part):
    """One text, and when it is said."""

    when: Signs = ()
    """All of these; empty for always."""
    text: Annotated[str, Field(max_length=2_000)]

    def model_post_init(self, _: object) -> None:
        """Only figures that there are."""
        _check_text(self.text)


class ChapterPlan(_Part):
    """One chapter. What is None or empty has a default, see ``settled``."""

    title: Annotated[str, Field(max_length=MAX_TITLE, pattern=r"^(\S(.*\S)?)?$")] = ""
    tell: Telling | None = None
    """Words of the catalogue, which follow what happens in more detail than a template can."""
    narration: Annotated[tuple[Case, ...], BeforeValidator(_cases)] = ()
    """The first case that fits is said, with the figures of the scene in the place of their names."""
    enter: Annotated[Entry, BeforeValidator(_entry)] = Entry()
    expect: Signs = ()
    within: Annotated[Seconds, Field(gt=0)] = WITHIN_S
    hint: Annotated[str, Field(max_length=MAX_HINT, pattern=r"^[^\n]*$")] = ""
    notes: Annotated[str, Field(max_length=4_000)] = ""
    auto_advance: Seconds | None = None
    blocks: StrictBool | None = None
    """None: while it breaks or repairs something."""
    holds_agent: StrictBool | None = None
    """None: from a fault up to its recovery."""
    needs: tuple[str, ...] | None = None
    """None: the load before a fault, the fault before what is seen of it."""


class StoryFile(_Part):
    """The whole file."""

    title: Annotated[str, Field(max_length=200)] = ""
    chapter: Annotated[tuple[ChapterPlan, ...], Field(min_length=2, max_length=50)]


class StoryPlan(StoryFile):
    """A story, and where it was read."""

    file: str = ""
    """Empty for the built-in one."""
    lines: dict[int, int] = {}
    """The line on which the entry action of each chapter stands."""

    def place(self, index: int) -> str:
        """Where chapter ``index`` says what it brings about, for an error about it."""
        return f"{self.file}:{self.lines.get(index, 1)}: chapter[{index + 1}].enter"


def settled(story: StoryPlan, words: Mapping[str, str]) -> StoryPlan:
    """``story`` with every default filled in; ``words`` are the titles, hints and notes of the catalogue by key."""
    chapters = []
    for index, one in enumerate(story.chapter):
        doing, before = one.enter.do, story.chapter[:index]
        told = {
            "title": one.title or words.get(f"{one.tell}.title", ""),
            "hint": one.hint or words.get(f"{one.tell}.hint", words["common.step"]),
            "notes": (one.notes or words.get(f"{one.tell}.notes", "")).strip(),
            "blocks": doing in ("fault", "recover") if one.blocks is None else one.blocks,
            "holds_agent": _is_broken((*before, one)) if one.holds_agent is None else one.holds_agent,
        }
        chapters.append(one.model_copy(update=told))
    titles = [one.title for one in chapters]
    as_written = {title.casefold(): title for title in titles}
    for index, one in enumerate(story.chapter):
        needs = (
            tuple(titles[needed] for needed in _needed(story.chapter, index))
            if one.needs is None
            else tuple(as_written[title.casefold()] for title in one.needs)
        )
        chapters[index] = chapters[index].model_copy(update={"needs": needs})
    return story.model_copy(update={"chapter": tuple(chapters)})


def _is_broken(chapters: tuple[ChapterPlan, ...]) -> bool:
    last = next((one.enter.do for one in reversed(chapters) if one.enter.do in ("fault", "recover")), "")
    return last == "fault"


def _needed(chapters: tuple[ChapterPlan, ...], index: int) -> list[int]:
    """A fault needs the load and that what was broken before is whole; what is seen of a fault needs the fault."""
    one = chapters[index]
    if one.enter.do == "fault":
        broken = [number for number in range(index) if chapters[number].enter.do == "fault"]
        found = [_last(chapters, index, "start-load"), _last(chapters, index, "recover") if broken else None]
        return sorted(number for number in found if number is not None)
    seen = {"detected", "first-answer", "diagnosed", "load-degraded", "agent-acts"}
    fault = _last(chapters, index, "fault")
    # After its recovery nothing is broken merely to show that it was.
    return [fault] if fault is not None and _is_broken(chapters[:index]) and seen & set(one.expect) else []


def _last(chapters: tuple[ChapterPlan, ...], before: int, doing: str) -> int | None:
    return next((number for number in reversed(range(before)) if chapters[number].enter.do == doing), None)
