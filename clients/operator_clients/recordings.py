"""The recordings that come along with the package, by name: something to see without a daemon."""

from pathlib import Path

from operator_protocol.errors import NotFound

_HERE = Path(__file__).resolve()
_PLACES = (_HERE.parent / "deploy" / "recordings", _HERE.parents[2] / "deploy" / "recordings")
"""In an installation, and in a checkout."""
_SUFFIX = ".opj.gz"


def names() -> list[str]:
    """What there is."""
    return sorted({file.name.removesuffix(_SUFFIX) for place in _PLACES for file in place.glob(f"*{_SUFFIX}")})


def recording_path(named: str) -> Path:
    """A file or a directory of that name, else the shipped recording. Raises ``NotFound``."""
    try:
        found = _found(named)
    except OSError as error:
        raise NotFound(f"cannot read {named}: {error.strerror}") from error
    if found is None:
        raise NotFound(f"cannot read {named}: No such file or directory", f"shipped recordings: {', '.join(names())}")
    return found


def _found(named: str) -> Path | None:
    path = Path(named)
    if path.exists():
        return path
    shipped = [place / f"{named}{_SUFFIX}" for place in _PLACES] if path.name == named else []
    return next((file for file in shipped if file.is_file()), None)
