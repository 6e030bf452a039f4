"""``replay``: what was recorded, printed as ``events`` prints it; or the state that it ends in."""

import argparse
from collections.abc import Iterator

from operator_clients import when
from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.exits import DONE, Usage
from operator_clients.ctl.output import clock
from operator_clients.ctl.printing import Changes, Printer, check_topics, somebody_reads, warn
from operator_clients.ctl.session import Session, to_json
from operator_clients.format import clean
from operator_clients.recordings import recording_path
from operator_protocol.events import FrameSeen, Resynced
from operator_protocol.frames import Frame
from operator_protocol.journal import CHECKPOINT
from operator_protocol.recording import Recording
from operator_protocol.replay import SOUGHT, Replay

_LOOK_AT_READER_S = 0.5
_EXAMPLES = """\
  operatorctl replay ~/.local/state/operatord/journal
  operatorctl replay demo.opj --from 2m --speed 4
  operatorctl replay demo.opj --from 14:03:07 --topic fault. violation. --json
  operatorctl replay demo.opj --state | jq .state.violations"""


def run(args: argparse.Namespace, session: Session) -> int:
    """Print the frames, or the final state."""
    check_topics(args.topic)
    if args.state and not (args.speed is None and args.start is None and args.topic is None):
        raise Usage("--state shows the end, all of it", "leave out --from, --speed and --topic")
    with Recording.open(recording_path(args.path)) as recording:
        if recording.label:
            warn(f"this is a recording: {clean(recording.label)}")
        for note in recording.notes():
            warn(note)
        if args.state:
            _print_state(recording)
            return DONE
        start_s = 0.0 if args.start is None else when.within(recording, args.start)
        printer = Printer(session, args.topic, Changes())
        if args.speed is None:
            printer.emit(_at_once(recording, start_s))
        else:
            _in_time(Replay(recording, speed=args.speed, at_s=start_s), printer)
    return DONE


def _at_once(recording: Recording, start_s: float) -> Iterator[Frame]:
    for entry in range(recording.stop_at(start_s) if start_s > 0 else 0, len(recording)):
        frame, turn = recording.read(entry), recording.turn(entry)
        if frame is None:
            continue
        if turn is not None and turn.reason:
            _tell(frame.header.wall_ts, turn.reason)
        if frame.topic != CHECKPOINT:
            yield frame


def _in_time(replay: Replay, printer: Printer) -> None:
    while not replay.ended:
        if not somebody_reads():
            raise BrokenPipeError
        for event in replay.poll(_LOOK_AT_READER_S):
            if isinstance(event, FrameSeen):
                printer.emit([event.frame])
            elif isinstance(event, Resynced) and event.reason != SOUGHT:
                _tell(replay.wall, event.reason)


def _tell(wall: float, reason: str) -> None:
    warn(f"{clock(wall)} {reason}")


def _print_state(recording: Recording) -> None:
    replay = Replay(recording, paused=True, at_s=recording.duration_s)
    replay.poll(0)
    document = {"boot_id": replay.boot_id, "seq": replay.seq, "wall_ts": recording.ends_at}
    print(to_json(document | {"state": replay.state.to_wire()}))


def configure(parser: argparse.ArgumentParser) -> None:
    """What to replay, how fast, from when."""
    parser.add_argument(
        "path",
        metavar="FILE|DIR|NAME",
        help="a recording, a file of a journal, a whole journal, or a shipped recording",
    )
    parser.add_argument(
        "--speed", metavar="N", type=when.argument(when.speed), help="in time, N times as fast (default: all at once)"
    )
    parser.add_argument(
        "--from",
        metavar="T",
        dest="start",
        type=when.argument(when.moment),
        help="begin so far into it (90, 1m30s), or at a time of day (14:03:07)",
    )
    parser.add_argument(
        "--topic",
        metavar="T",
        nargs="+",
        action="extend",
        help="whole topics or families that end in a dot; default: all but heartbeat and process.NAME.log",
    )
    parser.add_argument("--state", action="store_true", help="print the state at the end, as JSON, and nothing else")


REPLAY = Subcommand(configure, run, _EXAMPLES)
