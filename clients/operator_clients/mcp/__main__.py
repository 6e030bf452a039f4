"""``python -m operator_clients.mcp``."""

import sys

from operator_clients.mcp.cli import main

sys.exit(main())
