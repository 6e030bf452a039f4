"""``operator-viewer --replay … --export``: which of it, how large, and into which file."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from operator_clients import when
from operator_clients.format import clean
from operator_clients.viewer.export.asciicast import asciicast
from operator_clients.viewer.export.filming import Camera
from operator_clients.viewer.export.svg import svg
from operator_clients.viewer.layout import Size
from operator_clients.viewer.timeline import clock
from operator_protocol.errors import BadRequest, Unavailable
from operator_protocol.recording import Recording

_SIZE = Size(120, 40)
_IDLE_S = 2.0


def export(recording: Recording, options: argparse.Namespace) -> None:
    """Write the file. Raises ``BadRequest`` for a time that is not in the recording, ``Unavailable`` for a bad file."""
    if options.export == "svg":
        at_s = _second(recording, options.at, recording.duration_s)
        lines: Iterable[str] = [_still(recording, options, at_s)]
    else:
        start_s = _second(recording, options.start, 0.0)
        end_s = _second(recording, options.end, recording.duration_s)
        if end_s <= start_s:
            raise BadRequest(f"there is nothing from {start_s:g} s to {end_s:g} s", "--to is later than --from")
        lines = (f"{line}\n" for line in _film(recording, options, start_s, end_s))
    _write(options.out, lines)


def _still(recording: Recording, options: argparse.Namespace, at_s: float) -> str:
    camera = Camera(recording, options.size or _SIZE, start_s=at_s, speed=1.0, animate=False)
    picture = camera.picture()
    words = "\n".join("".join(cell.text for cell in row).rstrip() for row in picture)
    return svg(picture, f"{_title(recording)}, at {clock(at_s)}", words)


def _film(recording: Recording, options: argparse.Namespace, start_s: float, end_s: float) -> Iterable[str]:
    speed = options.speed or 1.0
    size = options.size or _SIZE
    camera = Camera(recording, size, start_s=start_s, speed=speed, animate=not options.no_animation)
    return asciicast(
        camera,
        size,
        _title(recording),
        wall=recording.wall_at(start_s),
        start_s=start_s,
        end_s=end_s,
        speed=speed,
        idle_s=_IDLE_S if options.idle is None else options.idle,
    )


def _title(recording: Recording) -> str:
    label = clean(recording.label)
    return f"operator-viewer, a recording ({label})" if label else "operator-viewer, a recording"


def _second(recording: Recording, wanted: "float | when.Clock | None", otherwise: float) -> float:
    return otherwise if wanted is None else when.within(recording, wanted)


def _write(out: str, lines: Iterable[str]) -> None:
    """To standard output, or into a file that is there when it is whole. Raises ``Unavailable``."""
    if out == "-":
        _print(lines)
        return
    path = Path(out)
    draft = path.with_name(f".{path.name}.{os.getpid()}") if path.name else path
    try:
        if path.exists() and not path.is_file():
            # A device or a pipe is written to and never replaced.
            draft = path
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)
        if draft != path:
            draft.replace(path)
    except OSError as error:
        hint = "--out names a file, or - for standard output"
        raise Unavailable(f"cannot write {out}: {error.strerror}", hint) from error
    finally:
        if draft != path:
            with contextlib.suppress(OSError):
                draft.unlink()


def _print(lines: Iterable[str]) -> None:
    try:
        for line in lines:
            sys.stdout.buffer.write(line.encode())
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read it has seen enough; what is left must not fail once more when the process ends.
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
    except OSError as error:
        raise Unavailable(f"cannot write to standard output: {error.strerror}") from error
