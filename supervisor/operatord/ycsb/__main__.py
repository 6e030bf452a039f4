"""``python -m operatord.ycsb``: read the command line, do the run, exit with its status."""

import asyncio
import os
import sys
from collections.abc import Sequence

from operatord.ycsb.client import Run
from operatord.ycsb.control import die_with_parent
from operatord.ycsb.options import Options, parse_options


def main(argv: Sequence[str] | None = None) -> int:
    """The program; returns its exit status."""
    parent_pid = os.getppid()
    options = parse_options(sys.argv[1:] if argv is None else argv)
    if options.die_with_parent and not die_with_parent(parent_pid):
        return 0
    return asyncio.run(_run(options))


async def _run(options: Options) -> int:
    return await Run(options).main()


if __name__ == "__main__":
    sys.exit(main())
