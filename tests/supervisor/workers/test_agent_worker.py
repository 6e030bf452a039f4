"""The agent worker: one diagnosis at a time, thinking aloud, whatever becomes of the subject."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from operator_protocol.errors import BadRequest
from operator_protocol.models import AgentStep, Diagnosis, EvidenceItem, Hypothesis
from operator_protocol.records import from_body, to_body
from operatord.subjects.base import Invariant, Observation
from operatord.tickets.dossier import Dossier
from operatord.workers.agent.answer.citations import check_citations
from operatord.workers.agent.worker import Agent

from . import agent_cases as cases
from . import strain_cases
from .worker_bench import MemoryContext


class ToySubject:
    """A subject that tells what the test wants it to, or does not."""

    def __init__(self, facts: Sequence[str] = (), *, hangs: bool = False, fails: bool = False) -> None:
        self._facts = facts
        self._hangs = hangs
        self._fails = fails
        self.asked_about: list[str | None] = []
        self.under_way = 0
        self.most_at_once = 0

    async def observe(self, deadline_s: float) -> Observation:
        return Observation("toy", True, "", [])

    async def evidence(self, node_id: str | None, deadline_s: float) -> list[EvidenceItem]:
        self.asked_about.append(node_id)
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            if self._hangs:
                await asyncio.sleep(3600)
            if self._fails:
                raise ConnectionError("no route")
            await asyncio.sleep(0)
        finally:
            self.under_way -= 1
        return [EvidenceItem(number, "topology", text) for number, text in enumerate(self._facts, start=1)]

    def invariants(self) -> Sequence[Invariant]:
        return []

    async def close(self) -> None:
        pass


def diagnose(subject: ToySubject) -> tuple[Diagnosis, list[AgentStep]]:
    async def ask() -> tuple[Diagnosis, list[AgentStep]]:
        ctx = MemoryContext({})
        agent = Agent(ctx, subject, "valkey")
        reply = await agent.diagnose({"dossier": to_body(cases.primary_killed())})
        return from_body(Diagnosis, reply["diagnosis"]), [
            from_body(AgentStep, body) for body in ctx.bodies("agent.step")
        ]

    return asyncio.run(ask())


def test_it_thinks_aloud_from_the_evidence_to_the_answer() -> None:
    diagnosis, steps = diagnose(ToySubject(["5 of 5 other nodes flag valkey-0 as failing"]))
    assert {step.ticket for step in steps} == {7}
    kinds = [step.kind for step in steps]
    assert kinds[0] == "tool"
    assert kinds[-2:] == ["result", "result"]
    assert kinds.count("evidence") >= 3
    assert kinds.count("thought") >= 3
    assert all(0 < len(step.text) <= 220 and "\n" not in step.text for step in steps)
    assert steps[-2].text.startswith("process_killed")
    assert "start_server valkey-0" in steps[-1].text
    assert "5 of 5 other nodes flag valkey-0 as failing" in [item.text for item in diagnosis.evidence]


async def _twice(dossier: Dossier) -> tuple[Diagnosis, Diagnosis, list[str]]:
    """The first look, the second one with the first answer on the ticket, and what was said at the second."""
    ctx = MemoryContext({})
    agent = Agent(ctx, ToySubject(), "valkey")
    reply = await agent.diagnose({"dossier": to_body(dossier), "by_rules": True, "at_once": True})
    first = from_body(Diagnosis, reply["diagnosis"])
    said = len(ctx.bodies("agent.step"))
    known = replace(dossier, ticket=replace(dossier.ticket, diagnosis=first))
    second = from_body(Diagnosis, (await agent.diagnose({"dossier": to_body(known)}))["diagnosis"])
    return first, second, [str(body["text"]) for body in ctx.bodies("agent.step")[said:]]


def test_what_the_rules_are_sure_of_is_said_at_once_and_looked_at_again() -> None:
    first, second, said = asyncio.run(_twice(cases.primary_killed()))
    assert (first.cause, first.preliminary, second.preliminary) == ("process_killed", True, False)
    assert "preliminary" in first.markdown
    assert "preliminary" not in second.markdown
    assert any("it stands" in text for text in said)


def test_what_they_are_not_sure_of_is_a_guess_that_says_what_it_waits_for_and_recommends_nothing() -> None:
    first, second, said = asyncio.run(_twice(cases.isolated()))
    assert (first.cause, first.preliminary, first.confidence) == ("network_partition", True, 0.717)
    assert first.summary.startswith("perhaps valkey-2")
    assert first.hypotheses[0] == Hypothesis("network_partition", 0.717, "", [4])
    assert [one.cause for one in first.hypotheses[1:] if one.confidence is None and one.waits_for]
    assert "## Not settled yet" in first.markdown
    assert not first.actions
    assert (second.preliminary, second.hypotheses) == (False, [])
    assert second.actions
    assert "Not settled" not in second.markdown
    assert any("it stands" in text for text in said)


def test_what_cannot_be_told_yet_is_answered_with_what_it_may_be() -> None:
    first, second, said = asyncio.run(_twice(strain_cases.clients_paused_a_second_ago()))
    assert (first.cause, first.component) == ("unknown", "valkey-1")
    assert first.summary == "valkey-1, primary of shard-1, does not answer; it is too early to tell why"
    waits = {one.cause: one.waits_for for one in first.hypotheses}
    assert waits["clients_unserved"] == "valkey-1 answers no client, while its peers go on hearing from it"
    assert not first.actions
    assert check_citations(first).sound
    assert not second.preliminary
    assert any("it stands" in text for text in said)


def test_a_second_look_says_what_became_of_the_first_answer() -> None:
    async def ask() -> list[str]:
        ctx = MemoryContext({})
        agent = Agent(ctx, ToySubject(), "valkey")
        early = await agent.diagnose({"dossier": to_body(strain_cases.clients_paused_a_second_ago()), "at_once": True})
        later = strain_cases.clients_paused()
        known = replace(later, ticket=replace(later.ticket, diagnosis=from_body(Diagnosis, early["diagnosis"])))
        said = len(ctx.bodies("agent.step"))
        assert (await agent.diagnose({"dossier": to_body(known)}))["diagnosis"]["cause"] == "clients_unserved"
        return [str(body["text"]) for body in ctx.bodies("agent.step")[said:]]

    assert any("now it can be told" in text for text in asyncio.run(ask()))


def test_the_subject_is_asked_about_the_node_that_the_trouble_is_at() -> None:
    subject = ToySubject()

    async def ask() -> None:
        agent = Agent(MemoryContext({}), subject, "valkey")
        await agent.diagnose({"dossier": to_body(cases.primary_killed_symptom_elsewhere())})

    asyncio.run(ask())
    assert subject.asked_about == ["valkey-0"]


@pytest.mark.parametrize("subject", [ToySubject(hangs=True), ToySubject(fails=True)], ids=["hangs", "fails"])
def test_a_subject_that_cannot_be_asked_does_not_keep_the_diagnosis_from_coming(subject: ToySubject) -> None:
    diagnosis, steps = diagnose(subject)
    assert diagnosis.cause == "process_killed"
    assert "could not be asked" in steps[0].text


def test_diagnoses_wait_for_their_turn() -> None:
    subject = ToySubject(["x"])

    async def ask() -> None:
        ctx = MemoryContext({})
        agent = Agent(ctx, subject, "valkey")
        dossiers = [to_body(case()) for case in (cases.primary_killed, cases.primary_paused, cases.no_fault)]
        replies = await asyncio.gather(*(agent.diagnose({"dossier": one}) for one in dossiers))
        causes = [reply["diagnosis"]["cause"] for reply in replies]
        assert causes == ["process_killed", "process_paused", "no_fault"]

    asyncio.run(ask())
    assert subject.most_at_once == 1


def test_a_request_without_a_dossier_is_refused() -> None:
    async def ask() -> None:
        agent = Agent(MemoryContext({}), ToySubject(), "valkey")
        for args in ({}, {"dossier": "x"}, {"dossier": {"ticket": 3}}):
            with pytest.raises(BadRequest):
                await agent.diagnose(args)

    asyncio.run(ask())


def test_what_the_daemon_may_not_do_is_recommended_to_a_person_in_all_that_is_said() -> None:
    ctx = MemoryContext({})

    async def ask() -> Diagnosis:
        agent = Agent(ctx, ToySubject(), "valkey")
        args = {"dossier": to_body(cases.primary_killed()), "by_hand": {"start_server": "it is only watched"}}
        return from_body(Diagnosis, (await agent.diagnose(args))["diagnosis"])

    diagnosis = asyncio.run(ask())
    assert [(one.kind, one.risk) for one in diagnosis.actions] == [("escalate", "read")]
    said = "\n".join(str(body["text"]) for body in ctx.bodies("agent.step"))
    assert "recommended: escalate" in said
    assert "recommended: start_server" not in said
