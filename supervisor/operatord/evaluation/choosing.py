"""Which campaign, and which of its trials: what ``operatord eval`` is told on the command line."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from operator_protocol.errors import BadRequest, NotFound
from operatord.evaluation.plan import Trial


def campaign_file(named: str) -> Path:
    """A file, or the one that is shipped under this name. Raises ``NotFound`` with those that are, for a bare name."""
    path = Path(named)
    if path.exists() or path.suffix or path.name != named:
        return path
    shipped = shipped_campaigns()
    if named not in shipped:
        raise NotFound(
            f"there is no campaign {named!r}", f"shipped are {', '.join(shipped)}; or name a file: {named}.toml"
        )
    return shipped[named]


def shipped_campaigns() -> dict[str, Path]:
    """The campaigns that come with the daemon, by name."""
    here = Path(__file__).resolve()
    for place in (here.parents[1] / "deploy" / "campaigns", here.parents[3] / "deploy" / "campaigns"):
        if place.is_dir():
            return {file.stem: file for file in sorted(place.glob("*.toml"))}
    return {}


def only(trials: Sequence[Trial], conditions: Sequence[str]) -> tuple[Trial, ...]:
    """Those of ``trials`` that meet every one of the ``KEY=VALUE,…``. Raises ``BadRequest`` for what fits none."""
    chosen = tuple(trials)
    for condition in conditions:
        key, _, values = condition.partition("=")
        read = _READERS.get(key)
        wanted = {value.strip() for value in values.split(",")} - {""}
        if read is None or not wanted:
            raise BadRequest(f"--only {condition}: it is KEY=VALUE,… with one of {', '.join(_READERS)}")
        known = {value for trial in trials for value in read(trial)}
        if unknown := sorted(wanted - known):
            raise BadRequest(f"--only {condition}: no trial has {key} {', '.join(unknown)}", _there_are(key, known))
        chosen = tuple(trial for trial in chosen if wanted & read(trial))
    if not chosen:
        raise BadRequest(f"no trial is {' and '.join(conditions)}", "operatord eval plan lists them")
    return chosen


def _there_are(key: str, known: set[str]) -> str:
    return f"{key}: {', '.join(sorted(known))}"


def _part(trial: Trial) -> set[str]:
    return {"controls" if trial.is_control else "held-out" if trial.held_out else "seen"}


_READERS: Mapping[str, Callable[[Trial], set[str]]] = {
    "kind": lambda trial: {injection.kind for injection in trial.injections},
    "case": lambda trial: {trial.case},
    "target": lambda trial: {trial.target} - {""},
    "variant": lambda trial: {trial.variant},
    "repeat": lambda trial: {str(trial.repeat)},
    "part": _part,
}
