"""The demo of one daemon: the story it tells, in which words, and whether the subject can show it."""

from operator_protocol.errors import BadRequest
from operatord.demo.catalogue import load_catalogue
from operatord.demo.chapter import Agent, Load
from operatord.demo.chapters import BUILT_IN, check_faults, tell
from operatord.demo.director import Director
from operatord.demo.narration import Narrator
from operatord.faults.desk import FaultDesk
from operatord.faults.tools import Publish
from operatord.options import DaemonOptions
from operatord.subjects.base import SubjectControl


def make_director(options: DaemonOptions, faults: FaultDesk, load: Load, publish: Publish, agent: Agent) -> Director:
    """Not started yet. The story is that of ``--chapters``, or the built-in one."""
    demo = options.config.demo
    narrator = Narrator(load_catalogue(demo.language))
    countdown_s = options.config.faults.countdown_s
    chapters = tell(demo.fault, demo.target, countdown_s, story=options.story or BUILT_IN, narrator=narrator)
    return Director(faults, load, publish, chapters=chapters, narrator=narrator, agent=agent)


def check_demo(options: DaemonOptions, subject: SubjectControl) -> None:
    """Raise ``BadRequest`` for a story that breaks what ``subject`` has no fault for."""
    kind, known = options.config.demo.fault, subject.faults()
    if kind not in known:
        raise BadRequest(f"demo: {subject.name} has no fault {kind!r}", f"known: {', '.join(known)}")
    check_faults(options.story or BUILT_IN, subject.name, kind, known)
