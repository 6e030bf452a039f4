"""A ticket, handed to an agent whose model is a stand-in: the real client library over a real socket."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.standins.claude import Api
from tests.supervisor.workers import agent_cases as cases
from tests.supervisor.workers.test_agent_worker import ToySubject
from tests.supervisor.workers.worker_bench import MemoryContext

from operator_protocol.models import AgentStep, Diagnosis
from operator_protocol.records import from_body, to_body
from operatord.tickets.dossier import Dossier
from operatord.workers.agent.settings import AgentSettings
from operatord.workers.agent.worker import Agent

QUICK: dict[str, Any] = {
    "diagnoser": "claude",
    "deadline_s": 20.0,
    "call_timeout_s": 10.0,
    "tool_timeout_s": 2.0,
    "backoff_s": 60.0,
}
KEY = "sk-ant-test-0123456789abcdef"


@dataclass(frozen=True)
class Told:
    """What came of it."""

    diagnosis: Diagnosis
    bundle: dict[str, Any]
    retry_after_s: float | None
    steps: list[AgentStep]

    def said(self, kind: str) -> str:
        return "\n".join(step.text for step in self.steps if step.kind == kind)


def settings(api: Api | None, **change: Any) -> AgentSettings:
    return AgentSettings(**{**QUICK, "base_url": api.url if api else "", **change})


def ask(configured: AgentSettings, *dossiers: Dossier, subject: Any = None) -> list[Told]:
    """Each dossier in turn, by one agent."""

    async def run() -> list[Told]:
        ctx = MemoryContext({})
        agent = Agent(ctx, subject or ToySubject(["6 of 6 nodes were asked"]), "valkey", configured)
        told = []
        try:
            for dossier in dossiers or (cases.primary_killed(),):
                before = len(ctx.bodies("agent.step"))
                async with asyncio.timeout(60):
                    reply = await agent.diagnose({"dossier": to_body(dossier)})
                steps = [from_body(AgentStep, body) for body in ctx.bodies("agent.step")[before:]]
                diagnosis = from_body(Diagnosis, reply["diagnosis"])
                told.append(Told(diagnosis, dict(reply["bundle"]), reply["retry_after_s"], steps))
        finally:
            await agent.close()
        return told

    return asyncio.run(run())


def texts(request: dict[str, Any]) -> str:
    """All that a request says, as one text."""
    parts: Sequence[Any] = [request["system"], *(one["content"] for one in request["messages"])]
    return str(parts)
