"""What two JSON bodies have in common whatever their figures: keys and types."""

from collections.abc import Iterable, Mapping
from typing import Any

Shape = Any
"""``number``, ``text``, ``truth``, ``null``; a list of one shape; a map of keys to shapes."""


def shape(value: object) -> Shape:
    """All items of a list in one: their keys together. A map by store id has the key ``ID``."""
    match value:
        case bool():
            return "truth"
        case int() | float():
            return "number"
        case str():
            return "text"
        case None:
            return "null"
        case list():
            return [merged(shape(item) for item in value)]
        case dict():
            if value and all(key.isdigit() for key in value):
                return {"ID": merged(shape(item) for item in value.values())}
            return {key: shape(item) for key, item in value.items()}
        case _:
            raise TypeError(value)


def merged(shapes: Iterable[Shape]) -> Shape:
    found: Shape = None
    for one in shapes:
        if isinstance(found, dict) and isinstance(one, dict):
            found = {key: merged(part[key] for part in (found, one) if key in part) for key in {**found, **one}}
        else:
            found = one
    return found


def differences(ours: Shape, theirs: Shape, at: str = "") -> list[str]:
    """Where they differ, as ``path: what``; nothing below a list that is empty on one side."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        found = [f"{at}.{key}: only the real one has it" for key in theirs.keys() - ours.keys()]
        found += [f"{at}.{key}: only the stand-in has it" for key in ours.keys() - theirs.keys()]
        for key in ours.keys() & theirs.keys():
            found += differences(ours[key], theirs[key], f"{at}.{key}")
        return sorted(found)
    if isinstance(ours, list) and isinstance(theirs, list):
        return [] if None in (ours[0], theirs[0]) else differences(ours[0], theirs[0], f"{at}[]")
    return [] if ours == theirs else [f"{at}: {ours} in the stand-in, {theirs} in the real one"]
