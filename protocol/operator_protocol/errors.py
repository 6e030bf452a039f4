"""One tree of errors: what went wrong, the code it has on the wire, and what a person can do next."""

from collections.abc import Mapping
from typing import Any, ClassVar


class OperatorError(Exception):
    """Base of every error that a user of Operator may see.

    ``message`` says what happened in one line, ``hint`` what to do next (may be empty), ``code`` is the name on the
    wire, ``retryable`` whether the same request may succeed later without any change.
    """

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def to_wire(self) -> dict[str, Any]:
        """The ``error`` member of a reply: ``{code, message, hint, retryable}``."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "retryable": self.retryable}

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class BadRequest(OperatorError):
    """The request is malformed: wrong type, missing argument, too large."""

    code = "bad_request"


class UnknownCommand(OperatorError):
    """The daemon has no command of that name."""

    code = "unknown_command"


class Unauthorized(OperatorError):
    """The key of the sender does not allow this."""

    code = "unauthorized"


class VersionMismatch(OperatorError):
    """The peer speaks another major version of the protocol."""

    code = "version_mismatch"


class NotFound(OperatorError):
    """A fault, ticket, process, node or chapter of that name does not exist."""

    code = "not_found"


class Conflict(OperatorError):
    """The request is well formed but the present state forbids it (a guard rail, a chapter that blocks)."""

    code = "conflict"


class NoTarget(OperatorError):
    """Nothing matches the target that was asked for."""

    code = "no_target"


class Unavailable(OperatorError):
    """What was asked for is not to be had here, or not now."""

    code = "unavailable"
    retryable = True


class DaemonUnreachable(Unavailable):
    """No daemon answers at this endpoint. Raised by clients; never on the wire."""


class DeadlineExceeded(OperatorError):
    """The work was not done within the deadline."""

    code = "deadline_exceeded"
    retryable = True


class InternalError(OperatorError):
    """A defect of the daemon; its log has the traceback."""


_BY_CODE: dict[str, type[OperatorError]] = {
    cls.code: cls
    for cls in (
        BadRequest,
        UnknownCommand,
        Unauthorized,
        VersionMismatch,
        NotFound,
        Conflict,
        NoTarget,
        Unavailable,
        DeadlineExceeded,
        InternalError,
    )
}


def error_from_wire(error: Mapping[str, Any]) -> OperatorError:
    """Rebuild the typed error from the ``error`` member of a reply; unknown codes become ``InternalError``."""
    cls = _BY_CODE.get(str(error.get("code")), InternalError)
    return cls(str(error.get("message", "unknown error")), str(error.get("hint", "")))
