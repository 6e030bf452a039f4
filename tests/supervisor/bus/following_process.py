"""A client in a process of its own, to be stopped and continued: ``python -m ... DIRECTORY``.

Prints a line for each resync, and when it sees a frame on ``the.end`` one with its status and its state, and ends.
"""

import json
import sys

from operator_protocol.endpoint import runtime_endpoint
from operator_protocol.events import FrameSeen, Joined, Resynced
from operator_protocol.follow import Follower


def main(directory: str) -> None:
    """Follow until the end."""
    with Follower(runtime_endpoint(directory), actor="stopped") as follower:
        while True:
            for event in follower.poll(1):
                if isinstance(event, Joined):
                    say({"joined": event.boot_id})
                elif isinstance(event, Resynced):
                    say({"resynced": event.reason})
                elif isinstance(event, FrameSeen) and event.frame.topic == "the.end":
                    processes = {name: process.restarts for name, process in follower.state.processes.items()}
                    say({"status": follower.status, "processes": processes})
                    return


def say(what: object) -> None:
    """One line."""
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
