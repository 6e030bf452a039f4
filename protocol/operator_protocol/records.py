"""Frozen dataclasses to and from the maps of the wire.

``to_body`` writes every field; ``from_body`` ignores fields it does not know and fills in defaults for those that are
missing, so that either side may be one minor version ahead. Type hints drive the conversion: scalars, ``Literal``,
optionals, lists/tuples, string-keyed maps, and other records. A field whose name on the wire is a Python keyword says
so: ``field(metadata={"wire": "for"})``.
"""

import dataclasses
import reprlib
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, Union, get_args, get_origin

from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest

R = TypeVar("R")


def to_body(record: object) -> Body:
    """The map of ``record``, nested records included."""
    cls: type[Any] = type(record)
    return {wire: _plain(getattr(record, name)) for name, wire in _field_names(cls)}


def from_body(cls: type[R], body: Mapping[str, Any]) -> R:
    """Build a ``cls`` from ``body``. Raises ``BadRequest`` naming the field that is missing or of the wrong type."""
    if not isinstance(body, Mapping):
        raise BadRequest(f"{cls.__name__} is a map, got {type(body).__name__}")
    values: dict[str, Any] = {}
    record: type[Any] = cls
    for name, (wire, convert, required) in _converters(record).items():
        if wire in body:
            try:
                values[name] = convert(body[wire])
            except (TypeError, ValueError) as error:
                raise BadRequest(f"{cls.__name__}.{wire}: {error}") from error
        elif required:
            raise BadRequest(f"{cls.__name__}.{wire} is missing")
    return cls(**values)


_NAMES: dict[type, tuple[tuple[str, str], ...]] = {}
_CONVERTERS: dict[type, dict[str, tuple[str, Callable[[Any], Any], bool]]] = {}


def _field_names(cls: type[Any]) -> tuple[tuple[str, str], ...]:
    names = _NAMES.get(cls)
    if names is None:
        names = _NAMES[cls] = tuple((field.name, _wire_name(field)) for field in dataclasses.fields(cls))
    return names


def _wire_name(field: "dataclasses.Field[Any]") -> str:
    return str(field.metadata.get("wire", field.name))


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_body(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _converters(cls: type[Any]) -> dict[str, tuple[str, Callable[[Any], Any], bool]]:
    known = _CONVERTERS.get(cls)
    if known is None:
        hints = typing.get_type_hints(cls)
        known = _CONVERTERS[cls] = {
            field.name: (
                _wire_name(field),
                _converter(hints[field.name]),
                field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
            )
            for field in dataclasses.fields(cls)
        }
    return known


def _converter(hint: Any) -> Callable[[Any], Any]:
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any or hint is object:
        return lambda value: value
    if origin in (Union, types.UnionType):
        return _union(args)
    if origin is typing.Literal:
        return _literal(args)
    if origin in (list, tuple):
        return _sequence(origin, _converter(args[0]))
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return _mapping(_converter(args[1]))
    if dataclasses.is_dataclass(hint):
        record: type[Any] = typing.cast("type[Any]", hint)
        return lambda value: value if isinstance(value, record) else from_body(record, value)
    return _scalar(hint)


def _scalar(hint: type) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if hint is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if not isinstance(value, hint) or (hint is not bool and isinstance(value, bool)):
            raise TypeError(f"expected {hint.__name__}, got {_shown(value)}")
        return value

    return convert


def _literal(choices: tuple[Any, ...]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if value not in choices:
            raise ValueError(f"expected one of {', '.join(map(str, choices))}, got {_shown(value)}")
        return value

    return convert


def _union(args: tuple[Any, ...]) -> Callable[[Any], Any]:
    converters = [_converter(arg) for arg in args if arg is not type(None)]
    optional = type(None) in args

    def convert(value: Any) -> Any:
        if value is None and optional:
            return None
        problem: Exception = TypeError("no type fits")
        for one in converters:
            try:
                return one(value)
            except (TypeError, ValueError, BadRequest) as error:
                problem = error
        raise problem if isinstance(problem, TypeError | ValueError) else TypeError(str(problem))

    return convert


def _sequence(kind: Any, item: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise TypeError(f"expected an array, got {_shown(value)}")
        return kind(item(one) for one in value)

    return convert


def _mapping(item: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise TypeError(f"expected a map, got {_shown(value)}")
        if not all(isinstance(key, str) for key in value):
            raise TypeError("expected a map with text keys")
        return {key: item(one) for key, one in value.items()}

    return convert


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def _shown(value: object) -> str:
    """For an error: what came may be a megabyte, or nested deeper than ``repr`` can go."""
    return _SHORT.repr(value)
