"""A daemon that speaks to its service manager: ready, alive for as long as its loop turns, and stopping at TERM.

With ``hang`` it blocks its loop once it is ready.
"""

import asyncio
import os
import signal
import sys
import time

from operatord.sd_notify import ServiceManager


async def main(mode: str) -> None:
    manager = ServiceManager(os.environ)
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    alive = asyncio.create_task(manager.keep_alive())
    manager.ready("as ready as can be")
    print("environment", sorted(name for name in os.environ if name.startswith(("NOTIFY", "WATCHDOG"))), flush=True)
    if mode == "hang":
        asyncio.get_running_loop().call_later(0.1, time.sleep, 60)
    await told.wait()
    manager.stopping("told to")
    alive.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
