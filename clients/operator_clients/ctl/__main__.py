"""``python -m operator_clients.ctl``."""

import sys

from operator_clients.ctl.cli import main

if __name__ == "__main__":
    sys.exit(main())
