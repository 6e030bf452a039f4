"""What only this host can tell about a declared process: is there such a user, such a directory, such a command.

Judged when a daemon is about to start, and not whenever the configuration is read: ``operatord recover`` must be able
to undo a fault although somebody's script has been deleted since.
"""

import os
import pwd
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from operator_protocol.errors import BadRequest
from operatord.declared.sections import ProcessSection


def check_host(sections: Mapping[str, ProcessSection], file: Path) -> None:
    """Raises ``BadRequest`` that names the key of what cannot work here, or when anyone may write ``file``."""
    if sections and file.stat().st_mode & stat.S_IWOTH:
        raise BadRequest(
            "everyone may write this file, and it says what runs here", f"take that right away: chmod o-w {file}"
        )
    for name, section in sections.items():
        key = f"process.{name}"
        if section.user is not None:
            _check_user(f"{key}.user", section.user, os.geteuid())
        if section.cwd is not None and not section.cwd.is_dir():
            raise BadRequest(f"{key}.cwd: {section.cwd} is not a directory", "make it, or name another")
        _check_command(f"{key}.command", section.command, section)
        if section.ready is not None and section.ready.exec is not None:
            _check_command(f"{key}.ready.exec", section.ready.exec, section)


def find_user(user: str) -> pwd.struct_passwd:
    """The account of that name or number. Raises ``KeyError``."""
    try:
        return pwd.getpwnam(user)
    except KeyError:
        if not user.isascii() or not user.isdigit():
            raise
        return pwd.getpwuid(int(user))


def find_command(command: Sequence[str], section: ProcessSection) -> str | None:
    """The program that ``command`` runs: relative to the process's directory, else on the process's PATH."""
    name = command[0]
    if "/" in name:
        return shutil.which(str((section.cwd or Path()).absolute() / name))
    return shutil.which(name, path=section.env.get("PATH"))


def resolved(command: Sequence[str], section: ProcessSection) -> list[str]:
    """``command`` with the path of its program; as it is, to fail when it is run, if there is none."""
    return [find_command(command, section) or command[0], *command[1:]]


def _check_user(key: str, user: str, ours: int) -> None:
    try:
        account = find_user(user)
    except (KeyError, OverflowError):
        raise BadRequest(f"{key}: there is no user {user!r}", "name one of this host") from None
    if ours not in (0, account.pw_uid):
        raise BadRequest(
            f"{key}: only root can run a process as {user!r}", "start operatord as root, or leave user out"
        )


def _check_command(key: str, command: Sequence[str], section: ProcessSection) -> None:
    if find_command(command, section) is None:
        raise BadRequest(
            f"{key}: {command[0]!r} is not here, or not executable", "install it, or give the path; no shell is used"
        )
