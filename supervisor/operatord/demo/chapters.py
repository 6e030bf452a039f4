"""The built-in story: eight chapters, from a healthy cluster through a broken node to a healthy cluster.

``deploy/chapters/demo.toml`` is the same story as a file, for those who want to tell another one.
"""

from collections.abc import Mapping
from dataclasses import replace

from operator_protocol.errors import BadRequest
from operator_protocol.models import FaultKind
from operatord.demo.chapter import (
    ENGLISH,
    Chapter,
    create_fault_chapter,
    create_load_chapter,
    create_recovery_chapter,
)
from operatord.demo.figures import told_by_cases
from operatord.demo.narration import Narrator, Words
from operatord.demo.plan import TELLINGS, ChapterPlan, Entry, StoryPlan, settled
from operatord.demo.signs import all_of
from operatord.faults.desk import DEFAULT_COUNTDOWN_S, DEFAULT_KIND
from operatord.faults.params import complete
from operatord.faults.targets import RANDOM

BUILT_IN = StoryPlan(
    title="A primary dies",
    chapter=(
        ChapterPlan(tell="welcome"),
        ChapterPlan(tell="cluster_health", expect=("cluster-healthy",)),
        ChapterPlan(tell="load", enter=Entry(do="start-load"), expect=("baseline-known",)),
        ChapterPlan(tell="fault", enter=Entry(do="fault"), expect=("fault-injected",)),
        ChapterPlan(tell="detection", expect=("detected",)),
        ChapterPlan(tell="diagnosis", expect=("diagnosed",)),
        ChapterPlan(
            tell="recovery", enter=Entry(do="recover"), expect=("nothing-owed", "load-is-back"), auto_advance=3.0
        ),
        # Whoever jumps here leaves the story, and every way out of it recovers.
        ChapterPlan(
            tell="complete", enter=Entry(do="recover", agent_first=False), expect=("nothing-owed",), blocks=False
        ),
    ),
)


def tell(
    fault: str = DEFAULT_KIND,
    target: str = RANDOM,
    countdown_s: float = DEFAULT_COUNTDOWN_S,
    *,
    story: StoryPlan = BUILT_IN,
    narrator: Narrator = ENGLISH,
) -> tuple[Chapter, ...]:
    """The chapters of ``story``, with this fault on this target where it names none, in the words of ``narrator``."""
    plan = settled(story, words_of(narrator))
    return tuple(_chapter(one, fault, target, countdown_s, narrator) for one in plan.chapter)


def check_faults(story: StoryPlan, subject: str, default: str, known: Mapping[str, FaultKind]) -> None:
    """Whether ``subject`` has the faults of ``story`` with these parameters. Raises ``BadRequest`` with the line."""
    for index, one in enumerate(story.chapter):
        if one.enter.do != "fault":
            continue
        kind = one.enter.kind or default
        if kind not in known:
            raise BadRequest(f"{story.place(index)}: {subject} has no fault {kind!r}", f"known: {', '.join(known)}")
        try:
            complete(known[kind], one.enter.params)
        except BadRequest as error:
            raise BadRequest(f"{story.place(index)}: {error.message}", error.hint) from error


def words_of(narrator: Narrator) -> Mapping[str, str]:
    """The titles, hints and notes that a chapter has when it says none."""
    say = narrator.catalogue
    keys = [f"{name}.{part}" for name in TELLINGS for part in ("title", "hint", "notes")]
    return {key: text for key in [*keys, "common.step"] if (text := say.get(key))}


def _chapter(plan: ChapterPlan, fault: str, target: str, countdown_s: float, narrator: Narrator) -> Chapter:
    enter = plan.enter
    if enter.do == "fault":
        made = create_fault_chapter(
            plan.title,
            kind=enter.kind or fault,
            target=enter.target or target,
            countdown_s=countdown_s if enter.countdown is None else enter.countdown,
            params=enter.params,
            narrator=narrator,
        )
    elif enter.do == "recover":
        made = create_recovery_chapter(plan.title, agent_first=enter.agent_first, narrator=narrator)
    elif enter.do == "start-load":
        made = create_load_chapter(plan.title, narrator=narrator)
    else:
        made = Chapter(plan.title, narrator.welcome, busy_hint=narrator.catalogue("common.wait"))
    return replace(
        made,
        narration=_words(plan, narrator),
        key_hint=plan.hint,
        auto_advance=plan.auto_advance,
        blocks_advance=bool(plan.blocks),
        expectation=all_of(plan.expect) if plan.expect else None,
        within_s=plan.within,
        needs=plan.needs or (),
        holds_actions=bool(plan.holds_agent),
        notes=plan.notes,
    )


def _words(plan: ChapterPlan, narrator: Narrator) -> Words:
    if plan.tell is not None:
        return narrator.tellings[plan.tell]
    return told_by_cases([(all_of(case.when), case.text) for case in plan.narration], narrator)


CHAPTERS = tell()
