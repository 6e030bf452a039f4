"""From a chapters file to a story, or to everything that is wrong with it, each mistake with its line."""

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from operator_protocol.errors import BadRequest, NotFound
from operator_protocol.toml_lines import Lines, lines_of
from operator_protocol.toml_lines import Path as Place
from operatord.demo.catalogue import Catalogue
from operatord.demo.plan import Case, ChapterPlan, Entry, StoryFile, StoryPlan

_MAX_BYTES = 1 << 20
_HERE = Path(__file__).resolve()
_SHIPPED = (_HERE.parents[1] / "deploy" / "chapters", _HERE.parents[3] / "deploy" / "chapters")
"""In an installation, and in a checkout."""
_HINT = "docs/demo.md shows every key, deploy/chapters/demo.toml the shipped story"
_PARTS: Mapping[str, type[StoryFile | ChapterPlan | Entry | Case]] = {
    "": StoryFile,
    "chapter": ChapterPlan,
    "enter": Entry,
    "narration": Case,
}
_SAID = {
    "missing": "it is missing",
    "string_type": "it is a text in quotes",
    "bool_type": "it is true or false",
    "tuple_type": "it is a list",
    "dict_type": "it is a table",
    "model_type": "it is a table",
    "string_pattern_mismatch": "it is one line, with no space at its ends",
}
"""By type of error, in our words."""
_OF_FAULT = ("kind", "target", "params", "countdown")


class _Problem(NamedTuple):
    line: int
    key: str
    message: str

    def told(self, file: str) -> str:
        return ": ".join(part for part in (f"{file}:{self.line}", self.key, self.message) if part)


def shipped_stories() -> list[str]:
    """Names of the stories that come along."""
    return sorted({file.stem for place in _SHIPPED for file in place.glob("*.toml")})


def story_file(named: str) -> Path:
    """A file, or the story that is shipped under this name; a name that is neither stays the path that it is."""
    path = Path(named).expanduser()
    if path.exists() or path.suffix or path.name != named:
        return path
    return next((file for place in _SHIPPED if (file := place / f"{named}.toml").is_file()), path)


def read_story(path: Path, catalogue: Catalogue) -> StoryPlan:
    """The story in a file. Raises ``NotFound``, ``BadRequest`` with every mistake as ``FILE:LINE: KEY: MESSAGE``."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadRequest(f"{path} is over 1 MiB; that is no story")
        text = path.read_bytes().decode()
    except OSError as error:
        there = ", ".join(shipped_stories())
        raise NotFound(f"cannot read the chapters {path}: {error.strerror}", f"a file, or one of: {there}") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"{path} is not UTF-8: byte {error.start} cannot be read") from error
    return parse_story(text, str(path), catalogue)


def parse_story(text: str, file: str, catalogue: Catalogue) -> StoryPlan:
    """The same for a text that was read already."""
    text = text.replace("\r\n", "\n")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadRequest(_syntax(str(error), text).told(file), "mend that line; " + _HINT) from error
    except RecursionError as error:
        raise BadRequest(f"{file}: it is nested too deeply", _HINT) from error
    lines = lines_of(text)
    try:
        story = StoryFile.model_validate(document)
    except ValidationError as error:
        found = error.errors()
        # An item that is wrong is also counted as missing.
        wrong = [one for one in found if one["type"] != "too_short"] or found
        raise _refused([_read(problem, lines) for problem in wrong], file) from error
    problems = [
        _Problem(_line(place, lines), _key(place), message) for place, message in _contradictions(story, catalogue)
    ]
    if problems:
        raise _refused(problems, file)
    entries = {index: _line(("chapter", index, "enter"), lines) for index in range(len(story.chapter))}
    return StoryPlan(title=story.title, chapter=story.chapter, file=file, lines=entries)


def _contradictions(story: StoryFile, catalogue: Catalogue) -> Iterator[tuple[Place, str]]:
    """What is wrong though each value is right."""
    seen: dict[str, int] = {}
    broken: int | None = None
    for index, one in enumerate(story.chapter):
        here: Place = ("chapter", index)
        yield from _of_words(one, here)
        yield from _of_entry(one.enter, (*here, "enter"))
        title = one.title or (catalogue(f"{one.tell}.title") if one.tell else "")
        if not title:
            yield here, "it has no title: give it one, or tell, which has one"
        elif title.casefold() in seen:
            yield (*here, "title"), f"chapter[{seen[title.casefold()] + 1}] is called {title!r} already"
        for number, needed in enumerate(one.needs or ()):
            if needed.casefold() not in seen:
                yield (*here, "needs", number), f"no earlier chapter is called {needed!r}{_close(needed, seen)}"
        seen.setdefault(title.casefold(), index)
        if one.enter.do == "fault":
            if broken is not None:
                yield (*here, "enter"), f"what chapter[{broken + 1}] breaks has to be recovered by a chapter in between"
            broken = index
        elif one.enter.do == "recover":
            broken = None
    if broken is not None:
        place: Place = ("chapter", broken, "enter")
        yield place, 'a later chapter has to recover what it breaks: enter = "recover"'
    if story.chapter[-1].auto_advance is not None:
        yield ("chapter", len(story.chapter) - 1, "auto_advance"), "the last chapter has none to go on to"


def _of_words(one: ChapterPlan, here: Place) -> Iterator[tuple[Place, str]]:
    if bool(one.tell) == bool(one.narration):
        what = "it has both" if one.tell else "it has neither"
        yield (*here, "tell"), f"a chapter has narration, or tell with one of the shipped narrations; {what}"
    for number, case in enumerate(one.narration):
        last = number == len(one.narration) - 1
        if last and case.when:
            yield (*here, "narration", number, "when"), "the last text is said when no other fits, so it has no when"
        elif not last and not case.when:
            yield (*here, "narration", number), "without a when it is always said, and nothing that follows it ever"


def _of_entry(entry: Entry, here: Place) -> Iterator[tuple[Place, str]]:
    for key in sorted(entry.model_fields_set):
        if key in _OF_FAULT and entry.do != "fault":
            yield (*here, key), f'it belongs to do = "fault", not to {entry.do!r}'
        elif key == "agent_first" and entry.do != "recover":
            yield (*here, key), f'it belongs to do = "recover", not to {entry.do!r}'


def _read(problem: Any, lines: Lines) -> _Problem:
    place: Place = tuple(problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        owner = next((part for part in reversed(place[:-1]) if isinstance(part, str)), "")
        message = f"there is no such key{_close(str(place[-1]), _PARTS.get(owner, StoryFile).model_fields)}"
    elif "params" in place:
        place, message = place[: place.index("params") + 2], "it is a plain value: a text, a number, true or false"
    elif problem["type"] in _SAID:
        message = _SAID[problem["type"]]
    elif problem["type"] == "literal_error":
        choices = problem["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        message = f"{problem['input']!r} is not one of {', '.join(choices)}{_close(str(problem['input']), choices)}"
    elif problem["type"] == "too_short":
        message = f"a story has at least {problem['ctx']['min_length']} chapters, each written [[chapter]]"
    return _Problem(_line(place, lines), _key(place), message)


def _close(wrong: str, known: Sequence[str] | Mapping[str, object]) -> str:
    found = difflib.get_close_matches(wrong.casefold(), list(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ""


def _line(place: Place, lines: Lines) -> int:
    """Of the value, or of what it would stand in."""
    while place not in lines:
        place = place[:-1]
    return lines[place]


def _key(place: Place) -> str:
    key = ""
    for part in place:
        key += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if key else part
    return key


def _refused(problems: list[_Problem], file: str) -> BadRequest:
    told = [problem.told(file) for problem in sorted(dict.fromkeys(problems))]
    return BadRequest(told[0] if len(told) == 1 else "\n  ".join([f"{file} has {len(told)} mistakes:", *told]), _HINT)


def _syntax(message: str, text: str) -> _Problem:
    """What ``tomllib`` says, with the line in front."""
    what, _, place = message.partition(" (at ")
    digits = place.removeprefix("line ").partition(",")[0].rstrip(")")
    line = int(digits) if digits.isdigit() else text.rstrip("\n").count("\n") + 1
    return _Problem(line, "", f"not TOML: {what}")
