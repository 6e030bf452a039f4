"""The catalogue of words: every key is used, every name in braces is filled, and another language is told as well."""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from operator_protocol.errors import BadRequest, NotFound
from operatord import demo
from operatord.demo.catalogue import languages, load_catalogue, placeholders
from operatord.demo.chapters import CHAPTERS, tell
from operatord.demo.narration import Narrator
from operatord.demo.plan import TELLINGS

from .stage import Stage, play

SOURCE = Path(demo.__file__).parent
ENGLISH_FILE = SOURCE / "texts" / "en.toml"
OPEN_TABLES = ("kind.", "role.")
BY_CHAPTER = ("title", "hint", "notes")
"""Looked up for whichever chapter it is."""


def said() -> Iterator[tuple[str, frozenset[str]]]:
    """Every call with a literal key, and the names that it fills."""
    for file in SOURCE.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            function, key = node.func, node.args[0]
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if name in ("say", "_say", "catalogue") and isinstance(key, ast.Constant):
                assert isinstance(key.value, str)
                yield key.value, frozenset(keyword.arg or "" for keyword in node.keywords)


def test_every_key_is_used_and_every_name_in_braces_is_filled() -> None:
    english = load_catalogue()
    used = dict.fromkeys(key for key, _ in said())
    by_chapter = {f"{name}.{part}" for name in TELLINGS for part in BY_CHAPTER}
    shipped = {key for key in english.known if not key.startswith(OPEN_TABLES)}
    assert shipped - used.keys() - by_chapter == set()
    assert used.keys() - english.known == set()
    for key, filled in said():
        assert filled == english.names_in(key), key
    for key in by_chapter & english.known:
        assert english.names_in(key) == frozenset()


def test_every_chapter_has_a_title_and_notes_for_the_presenter() -> None:
    assert {f"{name}.{part}" for name in TELLINGS for part in ("title", "notes")} <= load_catalogue().known
    assert all(chapter.notes for chapter in CHAPTERS)
    assert len({chapter.notes for chapter in CHAPTERS}) == 8


def test_kinds_and_roles_have_all_their_words() -> None:
    document = tomllib.loads(ENGLISH_FILE.read_text())
    assert all(set(words) == {"doing", "done", "like"} for words in document["kind"].values())
    assert all(set(words) == {"one", "many"} for words in document["role"].values())


def test_no_words_of_the_story_stand_in_the_source() -> None:
    """A sentence is a literal with a space and a full stop, an ellipsis or an arrow at one of its ends."""
    for name in ("narration", "director", "figures", "chapters"):
        tree = ast.parse((SOURCE / f"{name}.py").read_text())
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        errors = {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.Raise) and node.exc is not None
            for part in ast.walk(node.exc)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs | errors:
                assert not re.search(r" .*[.…]$|←", node.value), node.value


def other_language(words: Mapping[str, Any]) -> dict[str, Any]:
    """English with every letter in capitals, but for the names in braces."""
    return {
        key: other_language(text)
        if isinstance(text, dict)
        else "".join(part if part.startswith("{") else part.upper() for part in re.split(r"(\{\w+\})", text))
        for key, text in words.items()
    }


def written(words: Mapping[str, Any]) -> str:
    """As TOML."""
    lines = []
    for table, texts in words.items():
        for name, text in texts.items():
            if isinstance(text, dict):
                lines += [f'[{table}."{name}"]', *(f"{key} = '''{one}'''" for key, one in text.items())]
    head = []
    for table, texts in words.items():
        plain = {key: text for key, text in texts.items() if isinstance(text, str)}
        if plain:
            head += [f"[{table}]", *(f"{key} = '''{text}'''" for key, text in plain.items())]
    return "\n".join([*head, *lines])


def language_file(tmp_path: Path, words: Mapping[str, Any]) -> str:
    file = tmp_path / "loud.toml"
    file.write_text(written(words))
    return str(file)


def test_another_language_is_told_from_the_beginning_to_the_end(tmp_path: Path) -> None:
    words = other_language(tomllib.loads(ENGLISH_FILE.read_text()))
    narrator = Narrator(load_catalogue(language_file(tmp_path, words)))

    async def scenario(stage: Stage) -> None:
        stage.blind = True
        await stage.at(3)
        await stage.director.next()
        await stage.timeline.advance(35)
        stage.blind = False
        last = await stage.at(7)
        assert last.expectation_met is True
        await stage.director.goto(5)
        await stage.director.previous()
        await stage.director.goto(0)

    stage = play(tmp_path, scenario, tell(narrator=narrator), narrator)
    shown = [text for state in stage.shown() for text in (state.title, state.narration, state.key_hint, state.notes)]
    frames = {
        word
        for _, body in stage.bench.frames
        for value in [*body.values(), *(body.get("diagnosis") or {}).values()]
        if isinstance(value, str) and body.get("key_hint") is None
        for word in re.findall(r"[a-z]+", value)
    }
    units = {"ms", "s", "min", "rules"}
    for text in shown:
        left = set(re.findall(r"[a-z]+", text)) - frames - units
        assert left == set(), text
        assert all(len(line) <= 70 for line in text.splitlines()) or text in {state.notes for state in stage.shown()}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda words: words["load"].pop("watch"), "load.watch is missing"),
        (lambda words: words["load"].update(wach="x"), "there is no key load.wach"),
        (lambda words: words["common"].update(rate="{numbr} ops/s"), "common.rate: it has {number} in braces"),
        (lambda words: words["common"].update(rate="{number!r}"), "common.rate: {number} is no name"),
        (lambda words: words["common"].update(rate="{0}"), "common.rate: {0} is no name"),
        (lambda words: words["kind"].update(kill={"doing": "{x}"}), "kind.kill.doing: it has no names in braces"),
        (lambda words: words["load"].update(title=" "), "load.title: it is one line of text"),
        (lambda words: words["load"].update(title="welcome"), "welcome.title: it is that of load.title already"),
    ],
)
def test_a_language_that_is_not_whole_is_refused_with_the_key(tmp_path: Path, change: Any, told: str) -> None:
    words = tomllib.loads(ENGLISH_FILE.read_text())
    change(words)
    with pytest.raises(BadRequest) as refused:
        load_catalogue(language_file(tmp_path, words))
    assert told in refused.value.message
    assert "loud.toml" in refused.value.message


def test_a_kind_that_a_language_does_not_know_is_called_by_its_name(tmp_path: Path) -> None:
    words = tomllib.loads(ENGLISH_FILE.read_text())
    del words["kind"], words["role"]
    assert load_catalogue(language_file(tmp_path, words)).get("kind.kill.doing", "kill") == "kill"


@pytest.mark.parametrize("language", ["xx", "EN", "", "../en"])
def test_a_language_that_is_not_there_is_answered_with_those_there_are(language: str) -> None:
    with pytest.raises(NotFound) as refused:
        load_catalogue(language)
    assert "there is en" in refused.value.hint
    assert languages() == ["en"]


def test_a_file_that_is_no_catalogue_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cannot read"):
        load_catalogue(str(tmp_path / "nowhere.toml"))
    broken = tmp_path / "broken.toml"
    broken.write_text("[load\n")
    with pytest.raises(BadRequest, match="line 1"):
        load_catalogue(str(broken))
    broken2 = tmp_path / "number.toml"
    broken2.write_text("[load]\nwatch = 7\n")
    with pytest.raises(BadRequest, match="it is a text"):
        load_catalogue(str(broken2))


def test_names_in_braces_are_found() -> None:
    assert placeholders("{a} and {b}, {{c}}") == {"a", "b"}
