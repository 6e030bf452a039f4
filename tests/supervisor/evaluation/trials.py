"""Trials and what they showed, for the tests of scoring."""

from dataclasses import replace

from operator_protocol.models import Alternative, Diagnosis, EvidenceItem
from operatord.evaluation.campaign import Campaign, parse_campaign
from operatord.evaluation.plan import Injection, Trial
from operatord.evaluation.seen import Answer, Injected, Look, Seen, SeenTicket

CAMPAIGN = """
title = "Every fault"
seed = 7
trials = 3
[controls]
trials = 2
[[variant]]
name = "rules"
diagnoser = "rules"
[[variant]]
name = "nobody"
diagnoser = "none"
[[case]]
name = "kill"
targets = ["primary", "replica"]
fault = [{ kind = "kill", causes = ["process_killed"] }]
[[case]]
name = "two-at-once"
targets = ["primary"]
held_out = true
[[case.fault]]
kind = "kill"
causes = ["process_killed"]
[[case.fault]]
kind = "pause"
target = "other group"
after = "2s"
causes = ["process_paused"]
"""


def campaign(text: str = CAMPAIGN) -> Campaign:
    return parse_campaign(text, "c.toml")


KILL = Injection("kill", "primary", {}, 0.0, ("process_killed",), ())
PAUSE = Injection("pause", "other group", {}, 2.0, ("process_paused",), ())
TRIAL = Trial(1, "kill", "primary", "rules", 1, False, 42, (KILL,))
CONTROL = Trial(2, "control", "", "rules", 1, False, 43)
KILLED = Injected(10.0, "kill", "valkey-1", "shard-1", ["valkey-4"])
RIGHT = Diagnosis(
    "it was killed",
    "valkey-1",
    "process_killed",
    "Its process ended [1].",
    0.9,
    "rules",
    evidence=[EvidenceItem(1, "process", "ended by signal 9")],
    cited=[1],
    alternatives=[Alternative("network_partition", "the process is gone", [1])],
    usage={"input_tokens": 1000, "output_tokens": 200, "cost_usd": 0.004, "cost_today_usd": 9.0},
)
WRONG_CAUSE = replace(RIGHT, cause="slow_node")
WRONG_NODE = replace(RIGHT, component="valkey-2")


def ticket(
    *diagnoses: Diagnosis,
    number: int = 1,
    node: str | None = "valkey-1",
    opened_at: float = 11.0,
    resolved_at: float | None = 30.0,
) -> SeenTicket:
    answers = [Answer(opened_at + 2.5 + place, diagnosis) for place, diagnosis in enumerate(diagnoses)]
    return SeenTicket(number, "node_down", node, opened_at, resolved_at, answers)


def seen(*tickets: SeenTicket, undone_at: float | None = 25.0, back_at: float = 29.0) -> Seen:
    looks = [Look(0.0, True), Look(10.5, False), Look(back_at, True)]
    return Seen("ran", injected=[KILLED], looks=looks, tickets=list(tickets), undone_at=undone_at)
