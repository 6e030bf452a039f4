"""The subjects that there are, by name."""

from operator_protocol.errors import NotFound
from operatord.subjects.base import SubjectProbe, SubjectSpec

SUBJECTS = ("valkey", "tikv")


def check_subject(name: str) -> None:
    """Raises ``NotFound`` naming the subjects that exist."""
    if name not in SUBJECTS:
        raise NotFound(f"there is no subject {name!r}", f"there are: {', '.join(SUBJECTS)}")


def make_probe(spec: SubjectSpec) -> SubjectProbe:
    """The probe half of the subject that ``spec`` describes."""
    check_subject(spec.name)
    if spec.name == "tikv":
        from operatord.subjects.tikv.probe import TiKVProbe

        return TiKVProbe(spec)
    from operatord.subjects.valkey.probe import ValkeyProbe

    return ValkeyProbe(spec)
