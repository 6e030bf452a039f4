"""The exit codes that scripts rely on, and the errors behind them (design, section 4)."""

from operator_protocol.errors import BadRequest, DaemonUnreachable, DeadlineExceeded, OperatorError

DONE = 0
REFUSED = 1
USAGE = 2
NO_DAEMON = 3
TIMED_OUT = 4
INTERRUPTED = 130
"""128 + SIGINT, as a shell reports it."""
TERMINATED = 143
"""128 + SIGTERM."""
BROKEN_PIPE = 141
"""128 + SIGPIPE: who read our output has left."""


class Usage(BadRequest):
    """The command line itself is wrong; nothing was asked of the daemon."""


class Terminated(Exception):
    """SIGTERM arrived where something has to be put right before leaving."""


def exit_code(error: OperatorError) -> int:
    """The exit code that stands for ``error``."""
    if isinstance(error, Usage):
        return USAGE
    if isinstance(error, DaemonUnreachable):
        return NO_DAEMON
    return TIMED_OUT if isinstance(error, DeadlineExceeded) else REFUSED
