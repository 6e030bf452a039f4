"""``faults``: what can be broken on purpose here, with which parameters, and what this daemon lacks for the rest."""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.exits import DONE
from operator_clients.ctl.output import Paint, clean, maps, stdout_paint
from operator_clients.ctl.session import Session
from operator_clients.format import byte_size

_EXAMPLES = """\
  operatorctl faults
  operatorctl faults slow
  operatorctl faults --json
  operatorctl fault slow --set percent=50 --for 30s"""
_INDENT = "    "


def _faults(args: argparse.Namespace, session: Session) -> int:
    result = session.ask("faults")
    kinds = maps(result.get("kinds"))
    if args.kind is not None:
        from operator_protocol.errors import NotFound  # not for --help

        chosen = [kind for kind in kinds if kind.get("name") == args.kind]
        if not chosen:
            names = ", ".join(str(kind.get("name")) for kind in kinds)
            raise NotFound(f"no fault is called {args.kind!r}", f"there are {names}")
        kinds = chosen
        result = {**result, "kinds": kinds}
    session.show(result, _lines(kinds, maps(result.get("owed")), stdout_paint()))
    return DONE


def indented(text: str, width: int, more: str = "") -> list[str]:
    """``text`` below a name, wrapped."""
    import textwrap  # only here

    return textwrap.wrap(clean(text), width, initial_indent=_INDENT, subsequent_indent=_INDENT + more)


def parameters(params: list[Mapping[str, Any]], width: int) -> Iterator[str]:
    """One line for each parameter of a kind: as it may be typed, what it means, what is allowed."""
    for param in params:
        yield from indented(f"--set {_setting(param)}  {param.get('meaning')} ({allowed(param)})", width, "  ")


def _lines(kinds: list[Mapping[str, Any]], owed: list[Mapping[str, Any]], paint: Paint) -> Iterator[str]:
    width = min(paint.width or 110, 120)
    for kind in kinds:
        name = paint("bold", clean(kind.get("name")))
        yield f"{name}  {paint('yellow', 'not here')}" if kind.get("missing") else name
        yield from indented(str(kind.get("description")), width)
        yield from indented(f"undone by {kind.get('undone_by')}", width, "  ")
        if kind.get("needs"):
            yield from indented(f"needs {kind['needs']}", width, "  ")
        if kind.get("missing"):
            yield from indented(f"missing: {kind['missing']}", width, "  ")
        yield from parameters(maps(kind.get("params")), width)
    for fault in owed:
        yield clean(
            f"owed: {fault.get('kind')} {fault.get('target')} ({fault.get('state')}), fault id {fault.get('id')}"
        )


def _setting(param: Mapping[str, Any]) -> str:
    """``percent=70%``: as it may be typed."""
    default, unit = param.get("default"), str(param.get("unit") or "")
    if default is None or default == "":
        value = "…"
    elif isinstance(default, bool):
        value = str(default).lower()
    elif isinstance(default, int | float):
        value = amount(default, unit).replace(" ", "")
    else:
        value = str(default)
    return f"{param.get('name')}={value}"


def allowed(param: Mapping[str, Any]) -> str:
    """What may be given for a parameter: ``1 % to 95 %``, ``one of in, out, both``."""
    if param.get("choices"):
        return "one of " + ", ".join(map(str, param["choices"]))
    unit, low, high = str(param.get("unit") or ""), param.get("minimum"), param.get("maximum")
    ends = [amount(end, unit) for end in (low, high) if isinstance(end, int | float)]
    if len(ends) == 2:
        return " to ".join(ends)
    if ends:
        return f"at {'least' if low is not None else 'most'} {ends[0]}"
    return {bool: "true or false", str: "text"}.get(type(param.get("default")), "any number")


def amount(value: float, unit: str) -> str:
    """A number of the catalogue with its unit; bytes as KiB, MiB, GiB."""
    if unit.startswith("bytes"):
        return byte_size(value).replace(".0 ", " ") + unit.removeprefix("bytes")
    return f"{value:g} {unit}".rstrip()


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", nargs="?", help="only this one (default: all)")


FAULTS = Subcommand(_arguments, _faults, _EXAMPLES)
