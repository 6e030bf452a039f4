"""``python -m operator_clients.web``."""

import sys

from operator_clients.web.cli import main

if __name__ == "__main__":
    sys.exit(main())
