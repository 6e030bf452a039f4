"""A small daemon for the tests of what happens when one is killed.

``process_daemon.py STATE_DIR plain|keep|exit`` starts a worker with children and a server, prints all their pids in one
line, and then waits to be killed (``exit``: leaves without stopping anything, with status 5).
"""

import asyncio
import os
import sys
from pathlib import Path

from operatord.processes.records import ServerRecords
from operatord.processes.table import ProcessTable


async def main(state_dir: Path, mode: str) -> None:
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    family: list[int] = []
    ready = asyncio.Event()

    def on_log(name: str, stream: str, line: str, dropped: int) -> None:
        if line.startswith("children"):
            family.extend(int(pid) for pid in line.split()[1:])
        if line == "ready":
            ready.set()

    table = ProcessTable(
        on_state=lambda state: None,
        on_log=on_log,
        records=ServerRecords(state_dir / "servers.json"),
        keep_servers=mode == "keep",
    )
    table.add_worker("ycsb", "process_bodies:parent")
    await table.start()
    await table.start_worker("ycsb")
    await ready.wait()
    server = await table.launch("valkey-0", ["sleep", "60"])
    print(server, table.pid("ycsb"), table.pid("forkserver"), *family[:2], flush=True)
    if mode == "exit":
        os._exit(5)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
