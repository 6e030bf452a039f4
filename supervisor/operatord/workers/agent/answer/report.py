"""From a verdict to a diagnosis: what a person reads."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from operator_protocol.models import Diagnosis
from operatord.workers.agent.answer.markdown import render
from operatord.workers.agent.bundle.findings import Bundle, Fact, Finding
from operatord.workers.agent.bundle.lives import signal_name
from operatord.workers.agent.rules.books import book_of
from operatord.workers.agent.rules.causes import Cause
from operatord.workers.agent.rules.hypotheses import hypotheses
from operatord.workers.agent.rules.weighing import Verdict, cite

SOURCE = "rules"
SURE = 0.8
"""A first answer that is less sure says so in its first words, and recommends nothing yet."""
_FELT_BY_S = 5.0
"""Until then clients may still wait for answers that never come."""

_HEADLINES: Mapping[Cause, str] = {
    "process_killed": "{who} was killed",
    "process_stopped": "{who} was stopped in good order",
    "process_crashed": "{who} crashed",
    "process_paused": "{who} is paused: alive, but not running",
    "process_restarted": "{who} was restarted",
    "shard_lost": "{group} is lost: none of its nodes answers",
    "slow_node": "{who} is slow",
    "replication_broken": "replication in {group} does not hold, though its nodes live",
    "memory_pressure": "{who} is short of memory",
    "network_partition": "{who} is cut off from its peers",
    "overload": "the cluster gets more load than it can serve",
    "no_quorum": "PD has no leader: too few of its members live to elect one",
    "disk_full": "the disk of {who} is full, or nearly",
    "leaders_evicted": "{who} may lead nothing: a scheduler drives its leaders away",
    "clients_unserved": "{who} lives, but does not serve its clients",
    "engine_lost": "the container engine does not answer; the servers in its containers may be well",
    "stop_and_go": "{who} is stopped and continued again and again",
    "cpu_starved": "{who} is kept from its processor",
    "packet_loss": "packets to and from {who} get lost",
    "network_slow": "the line to {who} is slow",
    "network_narrow": "the line to {who} is narrow",
    "handed_over": "{who} handed its slots over in good order",
    "no_fault": "nothing is wrong any more: what was seen ended by itself",
    "unknown": "",
}
_UNNOTICED_SHARE = 0.9
_OVER = {"process_paused": "{who} was paused for a while: alive, but not running"}
"""Headlines for what has ended."""
_ON_PURPOSE = "{who} was stopped by command, and is down until somebody starts it"
_DAMAGING: tuple[Cause, ...] = (
    "process_killed",
    "process_stopped",
    "process_crashed",
    "process_paused",
    "network_partition",
)


def write(bundle: Bundle, verdict: Verdict, *, preliminary: bool = False) -> Diagnosis:
    """The diagnosis, its Markdown included. Every number that it cites is one of the bundle's."""
    book = book_of(bundle.subject)
    radius, radius_ids = _blast_radius(bundle)
    moments = _moments(bundle)
    is_guess = preliminary and (verdict.cause == "unknown" or verdict.confidence < SURE)
    diagnosis = Diagnosis(
        summary=_guess(bundle, verdict.cause) if is_guess else _summary(bundle, verdict.cause),
        component=_component(bundle, verdict),
        cause=verdict.cause,
        explanation=_explanation(verdict),
        confidence=verdict.confidence,
        source=SOURCE,
        timeline=[f"{bundle.moment(one.at or 0.0)}  {label} {cite([one.id])}" for one, label in moments],
        evidence=[one.item() for one in bundle.findings],
        cited=sorted({*verdict.cited(), *radius_ids, *(one.id for one, _label in moments)}),
        alternatives=list(verdict.alternatives),
        blast_radius=radius,
        actions=[] if is_guess else book.remedies[verdict.cause](bundle),
        would_change_my_mind=book.doubts[verdict.cause].format(
            node=bundle.focus.node or "the node", group=bundle.focus.group or "the group"
        ),
        preliminary=preliminary,
        hypotheses=hypotheses(bundle, verdict) if preliminary else [],
    )
    return replace(diagnosis, markdown=render(diagnosis, bundle.ticket))


def _who(bundle: Bundle) -> str:
    focus = bundle.focus
    if focus.role and focus.group not in (None, "", focus.role) and focus.node:
        return f"{focus.node}, {focus.role} of {focus.group},"
    return focus.node or bundle.ticket.node or bundle.subject


def _guess(bundle: Bundle, cause: Cause) -> str:
    """What it may be, as the first words that a person reads of it."""
    if cause != "unknown":
        return f"perhaps {_summary(bundle, cause)}"
    if bundle.about("node_down") and not bundle.about("node_returned"):
        return f"{_who(bundle)} does not answer; it is too early to tell why"
    return f"it is too early to tell what happened to {_who(bundle).removesuffix(',')}"


def _summary(bundle: Bundle, cause: Cause) -> str:
    focus = bundle.focus
    who = _who(bundle)
    if cause == "unknown":
        return _unknown(bundle, who)
    back = bundle.about("node_returned")
    headline = _OVER.get(cause, _HEADLINES[cause]) if back else _HEADLINES[cause]
    if cause == "process_stopped" and bundle.about("stopped_by_command") and not back:
        headline = _ON_PURPOSE
    said = headline.format(who=who, group=focus.group or "the group")
    return f"{said}; {aftermath}" if cause in _DAMAGING and (aftermath := _aftermath(bundle)) else said


def _unknown(bundle: Bundle, who: str) -> str:
    """What is known of what is not known."""
    if bundle.about("process_ended"):
        return f"{who} ended, and how is not on record"
    if bundle.about("node_down") and not bundle.about("node_returned"):
        return f"{who} does not answer, and the evidence does not tell why"
    return f"what happened to {who} cannot be told from the evidence"


def _aftermath(bundle: Bundle) -> str:
    focus = bundle.focus
    parts = []
    if takeover := bundle.of("failover"):
        after = takeover[0].data.get("after_s")
        when = f" after {after:.1f} s" if isinstance(after, int | float) else ""
        parts.append(f"{takeover[0].data.get('heir')} took over{when}")
    elif bundle.of("group_lost"):
        parts.append(f"no node of {focus.group} is left to take over")
    elif focus.role == "primary" and not bundle.about("node_returned"):
        parts.append(f"no other node of {focus.group} has taken over yet")
    elif moved := bundle.about("leaders_moved"):
        parts.append(f"its regions have other leaders since {bundle.moment(moved[0].at or 0.0)}")
    elif focus.role == "replica":
        parts.append(f"{focus.group} serves on, with a copy less")
    if back := bundle.about("node_returned"):
        parts.append(f"it is back since {bundle.moment(back[0].at or 0.0)}")
    return ", ".join(parts)


def _component(bundle: Bundle, verdict: Verdict) -> str:
    focus = bundle.focus
    if verdict.row.component == "group" and focus.group:
        return focus.group
    if verdict.row.component == "subject":
        return bundle.subject
    return focus.node or bundle.ticket.node or bundle.subject


def _explanation(verdict: Verdict) -> str:
    if verdict.cause == "unknown":
        known = "; ".join(map(str, verdict.helps)) or "nothing that bears on it"
        return f"No explanation that the rules know fits all of the evidence. What is known: {known}."
    needs = "; ".join(map(str, verdict.needs))
    helps = "; ".join(map(str, verdict.helps))
    return f"This rests on: {needs}.{f' It fits that {helps}.' if helps else ''}"


def _blast_radius(bundle: Bundle) -> tuple[str, list[int]]:
    """Which slots, for how long, what clients felt, and what was spared; with the items that say so."""
    sentences: list[str] = []
    used: list[int] = []

    def say(text: str, findings: list[Finding]) -> None:
        sentences.append(f"{text} {cite([one.id for one in findings])}.")
        used.extend(one.id for one in findings)

    if (places := bundle.about("member")) and bundle.focus.role not in ("primary", "replica"):
        say(_served(bundle, places[0]), places)
    elif places:
        slots = places[0].data.get("slots")
        served = f"slots {slots}" if slots else "no slots, as a replica" if bundle.focus.role == "replica" else "data"
        say(f"{bundle.focus.node} served {served} of {bundle.focus.group}", places)
    if takeover := bundle.of("failover"):
        after = takeover[0].data.get("after_s")
        gap = f"for at most {after:.1f} s" if isinstance(after, int | float) else "for a while"
        say(f"The shard had no primary {gap}, until {takeover[0].data.get('heir')} took over", takeover)
    elif moved := bundle.about("leaders_moved"):
        after = moved[0].data.get("after_s")
        say(
            f"Its regions had other leaders after {after:.1f} s at most" if isinstance(after, int | float) else "",
            moved,
        )
    elif leaderless := bundle.of("leaderless"):
        say("Without a leader of PD clients get no timestamps, so no transaction begins", leaderless)
    elif lost := bundle.of("group_lost"):
        unserved = "" if bundle.focus.role in ("pd", "tikv") else ", so its slots are not served"
        say(f"No node of {bundle.focus.group} answers{unserved}", lost)
    if felt := (bundle.of("load_dipped") or bundle.of("load_steady") or bundle.of("load_absent")):
        say(_felt(felt[0]), felt[:1])
    if spared := bundle.of("bystanders_up"):
        outside = f"nodes outside {bundle.focus.group}" if bundle.focus.group else "other nodes"
        say(f"The {spared[0].data.get('count')} {outside} were not touched", spared)
    elif others := bundle.of("bystanders_down"):
        say("Other nodes are affected too", others)
    return " ".join(sentences) or "Nothing in the evidence measures it.", used


def _served(bundle: Bundle, place: Finding) -> str:
    leaders, regions = place.data.get("leaders"), place.data.get("regions")
    if leaders is not None and regions is not None:
        return f"{bundle.focus.node} led {leaders} of the {regions} regions that it has a replica of"
    leads = " and led it" if place.data.get("leads") else ""
    return f"{bundle.focus.node} was one of the {len(bundle.focus.peers) + 1} members of PD{leads}"


def _felt(finding: Finding) -> str:
    before, lowest, share = (finding.data.get(name) for name in ("before", "lowest", "share"))
    if finding.fact == "load_absent" or not (
        isinstance(before, float | int) and isinstance(lowest, float | int) and isinstance(share, float | int)
    ):
        return "No load was measured around the onset, so the effect on clients is not known"
    if finding.fact == "load_steady":
        for_s = finding.data.get("for_s")
        felt = "nothing" if share >= _UNNOTICED_SHARE else "little"
        # What a fault does to its clients may take seconds to show: a look that early cannot rule it out.
        early = isinstance(for_s, float | int) and for_s < _FELT_BY_S
        told = f"Clients had felt {felt} {for_s:.1f} s after the onset" if early else f"Clients felt {felt}"
        return f"{told}: {before:,.0f} ops/s before, never under {lowest:,.0f} ops/s since"
    back = finding.data.get("back_after_s")
    ending = f"back {back:.1f} s after the onset" if isinstance(back, float | int) else "not back yet"
    return (
        f"Clients fell from {before:,.0f} to {lowest:,.0f} ops/s ({share:.0%}), {ending}, "
        f"with {finding.data.get('errors')} errors"
    )


def _moments(bundle: Bundle) -> list[tuple[Finding, str]]:
    """What happened when, in order, in a few words each."""
    found = [
        (one, _LABELS[one.fact](one))
        for one in bundle.findings
        if one.at is not None and one.fact in _LABELS and one.at >= bundle.onset_at - 1.0
    ]
    found.sort(key=lambda pair: (pair[0].at or 0.0, pair[0].id))
    first: dict[str, tuple[Finding, str]] = {}
    for one, label in found:
        first.setdefault(label, (one, label))
    return list(first.values())


def _ending(finding: Finding) -> str:
    number, code = finding.data.get("signal"), finding.data.get("exit_code")
    how = signal_name(number) if isinstance(number, int) else f"exit code {code}" if code is not None else "unknown how"
    return f"process {finding.node} ended ({how})"


def _invariant(finding: Finding) -> str:
    return f"{finding.data.get('invariant')}{f' on {finding.node}' if finding.node else ''}"


_LABELS: Mapping[Fact, Callable[[Finding], str]] = {
    "process_ended": _ending,
    "process_started": lambda one: f"process {one.node} started",
    "node_down": lambda one: f"{one.node} stopped answering",
    "node_returned": lambda one: f"{one.node} answers again",
    "group_lost": lambda one: f"no node of {one.group} answers",
    "failover": lambda one: f"{one.data.get('heir')} became the primary of {one.group}",
    "violation": lambda one: f"{_invariant(one)} violated",
    "violation_ended": lambda one: f"{_invariant(one)} is over",
    "load_dipped": lambda one: f"load at its lowest: {one.data.get('lowest'):,.0f} ops/s",
    "log_shutdown": lambda one: f"{one.node} logged its shutdown",
    "log_crash": lambda one: f"{one.node} logged a crash",
    "log_memory": lambda one: f"{one.node} logged that memory ran out",
    "quorum_lost": lambda _one: "PD lost its majority",
    "leaderless": lambda _one: "PD has no leader",
    "leaders_moved": lambda one: f"{one.node} leads no region any more",
    "evicting": lambda one: f"leaders of {one.node} are being evicted",
    "clients_unserved": lambda one: f"{one.node} serves no clients",
    "log_peers_noticed": lambda one: f"{one.node} logged a failed peer",
    "log_election": lambda one: f"{one.node} logged the election",
}
