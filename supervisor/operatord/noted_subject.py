"""Which subject the last daemon of a state directory had, and where, if it was attached to: for who undoes its faults.

A cluster that was attached to outlives every daemon, and with it what was done to it. Nothing else in the state
directory says where it is: it may have been named on the command line.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from operator_protocol.errors import Conflict
from operatord.config import Config
from operatord.faults.undo_journal import read_owed

_FILE = "subject.json"
_ATTACHED = ("pd", "prometheus", "status", "data", "tls_ca", "tls_cert", "tls_key")


@dataclass(frozen=True, slots=True)
class NotedSubject:
    """``attached``: options of a cluster that was attached to; empty for one of our own."""

    name: str
    attached: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, config: Config) -> Self:
        """What a daemon of this configuration works on."""
        options = config.subject.tikv if name == "tikv" and config.subject.tikv.get("pd") else {}
        return cls(name, {key: str(options[key]) for key in _ATTACHED if options.get(key)})

    def apply(self, config: Config) -> Config:
        """``config`` with that cluster."""
        if not self.attached:
            return config
        options = {**config.subject.tikv, **self.attached}
        return config.model_copy(update={"subject": config.subject.model_copy(update={"tikv": options})})

    def note(self, state_dir: Path) -> None:
        """Write it down. Raises ``Conflict`` while faults are owed in another cluster and one of the two is, or was,
        only attached to: what is seen of the one says nothing of the other."""
        before = noted_subject(state_dir)
        if before is not None and before.attached.get("pd") != self.attached.get("pd"):
            owed = read_owed(state_dir / "undo.journal")
            if owed:
                named = ", ".join(f"{one.fault.kind} on {one.fault.target}" for one in owed)
                where = before.attached["pd"] if before.attached else "this directory"
                raise Conflict(
                    f"still owed in the cluster of {where}: {named}",
                    "undo it first with: operatord recover, or start with another --state-dir",
                )
        draft = state_dir / f"{_FILE}.draft"
        draft.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")
        draft.replace(state_dir / _FILE)


def noted_subject(state_dir: Path) -> NotedSubject | None:
    """What was noted last; None when nothing was, or nothing that can be read."""
    try:
        found = json.loads((state_dir / _FILE).read_text(encoding="utf-8"))
        attached = {str(key): str(value) for key, value in found["attached"].items() if key in _ATTACHED}
        return NotedSubject(str(found["name"]), attached)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
