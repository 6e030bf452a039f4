"""``operatorctl`` on a leash: it ends when whoever holds the other end of a pipe does, however that came about.

A viewer that is killed can end nothing any more; a command of its palette would go on, unseen, to drive the demo.
"""

import os
import signal
import sys
import threading


def main() -> int:
    """Run ``operatorctl`` with the arguments after the first, which is the descriptor to watch."""
    fd = int(sys.argv[1])
    os.set_inheritable(fd, False)
    del sys.argv[1]
    threading.Thread(target=_end_with, args=(fd,), daemon=True).start()
    from operator_clients.ctl.cli import main as operatorctl

    return operatorctl()


def _end_with(fd: int) -> None:
    """Nothing is ever written to it: what can be read is that it was closed."""
    os.read(fd, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
