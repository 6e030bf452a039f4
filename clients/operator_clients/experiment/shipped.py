"""The worked examples, by name: they come along with the package."""

from pathlib import Path

_HERE = Path(__file__).resolve()
_PLACES = (_HERE.parents[1] / "deploy" / "experiments", _HERE.parents[3] / "deploy" / "experiments")
"""In an installation, and in a checkout."""


def names() -> list[str]:
    """What there is."""
    return sorted({file.stem for place in _PLACES for file in place.glob("*.toml")})


def experiment_file(named: str) -> Path:
    """A file, or the example of that name; a name that is neither stays the path that it is."""
    path = Path(named)
    if path.exists() or path.name != named or path.suffix:
        return path
    return next((file for place in _PLACES if (file := place / f"{named}.toml").is_file()), path)
