"""``python -m operator_clients.viewer``."""

import sys

from operator_clients.viewer.cli import main

sys.exit(main())
