"""The catalogue of words: one TOML file for each language, English shipped; every language has the same keys."""

import functools
import string
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from operator_protocol.errors import BadRequest, NotFound

SHIPPED = "en"
_DIRECTORY = Path(__file__).resolve().parent / "texts"
_MAX_BYTES = 1 << 20
_OPEN = ("kind.", "role.")
"""Tables that a language may extend or shorten: what is missing there is called by its name."""


class Catalogue:
    """The texts of one language, by key: ``load.watch``."""

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        self.language = language
        self._texts = dict(texts)

    def __call__(self, key: str, /, **values: object) -> str:
        """The text of ``key`` with ``values`` in the place of its names in braces. Raises ``KeyError``."""
        return self._texts[key].format_map(values)

    def get(self, key: str, default: str = "") -> str:
        """The text of a key that need not be there."""
        return self._texts.get(key, default)

    @property
    def known(self) -> frozenset[str]:
        """All keys there are."""
        return frozenset(self._texts)

    def names_in(self, key: str) -> frozenset[str]:
        """What stands in braces there."""
        return placeholders(self._texts[key])


def languages() -> list[str]:
    """Those that are shipped."""
    return sorted(file.stem for file in _DIRECTORY.glob("*.toml"))


@functools.cache
def load_catalogue(language: str = SHIPPED) -> Catalogue:
    """A language that is shipped, or the ``.toml`` file of another one.

    Raises ``NotFound`` for a language that is not there, ``BadRequest`` naming the file and every key that is missing,
    unknown, or has other names in braces than the English one.
    """
    if not language.endswith(".toml"):
        if language not in languages():
            raise NotFound(
                f"the demo has no language {language!r}",
                f"there is {', '.join(languages())}; a file of your own ends in .toml, see docs/demo.md",
            )
        return Catalogue(language, _read(_DIRECTORY / f"{language}.toml"))
    file = Path(language)
    texts = _read(file)
    if problems := list(_differences(load_catalogue(), Catalogue(file.stem, texts))):
        shown = "; ".join(problems[:5]) + (f" (and {len(problems) - 5} more)" if len(problems) > 5 else "")
        raise BadRequest(f"{file}: {shown}", "a language has the keys of operatord/demo/texts/en.toml")
    return Catalogue(file.stem, texts)


def placeholders(text: str) -> frozenset[str]:
    """The names in braces. Raises ``ValueError`` for braces that are no names."""
    names = set()
    for _, name, form, conversion in string.Formatter().parse(text):
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            raise ValueError(f"{{{name}}} is no name")
        names.add(name)
    return frozenset(names)


def _read(file: Path) -> dict[str, str]:
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise BadRequest(f"{file} is over 1 MiB; that is no catalogue of words")
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotFound(f"cannot read the language {file}: {error.strerror}", "check [demo] language") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"{file}: {error}", "mend that line") from error
    texts = {}
    for key, text in _flat(document):
        if not isinstance(text, str):
            raise BadRequest(f"{file}: {key}: it is a text")
        try:
            placeholders(text)
        except ValueError as error:
            raise BadRequest(f"{file}: {key}: {error}", "braces hold one name: {ops}") from error
        texts[key] = text.strip()
    return texts


def _flat(document: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, object]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield before + key, value


def _differences(english: Catalogue, other: Catalogue) -> Iterator[str]:
    for key in sorted(english.known | other.known):
        if key.startswith(_OPEN):
            if key in other.known and other.names_in(key):
                yield f"{key}: it has no names in braces"
        elif key not in other.known:
            yield f"{key} is missing"
        elif key not in english.known:
            yield f"there is no key {key}"
        elif english.names_in(key) != other.names_in(key):
            names = ", ".join(f"{{{name}}}" for name in sorted(english.names_in(key))) or "no names"
            yield f"{key}: it has {names} in braces"
    yield from _titles(other)


def _titles(other: Catalogue) -> Iterator[str]:
    """A chapter is known by its title: to go to it, and to those that need it."""
    seen: dict[str, str] = {}
    for key in sorted(other.known):
        title = other.get(key).casefold()
        if not key.endswith(".title"):
            continue
        if not title or "\n" in title:
            yield f"{key}: it is one line of text"
        elif title in seen:
            yield f"{key}: it is that of {seen[title]} already"
        seen[title] = key
