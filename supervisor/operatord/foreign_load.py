"""A load that the configuration names: a command of the user's, or a file that somebody else's load writes."""

import shlex
import shutil

from operator_protocol.errors import BadRequest
from operatord.config import WorkloadSection
from operatord.subjects.base import WorkloadSource

_FIXED = 0.0
"""Its rate is its own affair."""


def foreign_load(section: WorkloadSection) -> WorkloadSource | None:
    """None when the subject's own load is wanted. Both are read as Java YCSB or go-ycsb, whichever they are."""
    if section.command:
        shown = shlex.join(section.command)
        return WorkloadSource(section.command, _FIXED, f"of your own: {shown}", "any")
    if section.follow:
        tail = shutil.which("tail")
        if tail is None:
            raise BadRequest("workload.follow needs tail, which is not installed", "install coreutils")
        # By name: a file that is rotated, or not there yet, is waited for. Nothing of what is in it already.
        command = [tail, "--follow=name", "--retry", "--lines=0", "--sleep-interval=0.2", "--", section.follow]
        return WorkloadSource(command, _FIXED, f"somebody else's, read from {section.follow}", "any", passive=True)
    return None
