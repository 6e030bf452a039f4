"""A stage for the director: a toy cluster with a load, a monitor and an agent that follow it, on injected time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from tests.supervisor.faults.toy_cluster import Bench, settle

from operator_protocol.codec import Body
from operator_protocol.errors import OperatorError
from operator_protocol.models import Action, ChapterState, ClusterHealth, Diagnosis, Ticket, Violation, WorkloadSample
from operator_protocol.records import from_body, to_body
from operatord.demo.chapter import ENGLISH, Chapter
from operatord.demo.chapters import CHAPTERS
from operatord.demo.director import Director
from operatord.demo.narration import Narrator
from operatord.subjects.base import Observation

NORMAL_OPS = 2000.0


class ToyLoad:
    """A load that reaches two thirds of its rate while a primary is down and nobody has taken over."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.running = False
        self.started = self.stopped = 0
        self.refuses: OperatorError | None = None
        self.stuck_at: float | None = None
        """Operations per second, whatever the cluster does."""
        self._samples: list[float] = []

    async def start(self) -> None:
        if self.refuses is not None:
            raise self.refuses
        if not self.running:
            self.running, self._samples = True, []
            self.started += 1

    async def stop(self) -> None:
        self.running = False
        self.stopped += 1

    def sample(self, down: list[str]) -> None:
        ops = NORMAL_OPS * (0.1 if down else 1.0) if self.stuck_at is None else self.stuck_at
        self._samples.append(ops)
        baseline = sum(self._samples[:5]) / 5 if len(self._samples) >= 5 else None
        threshold = baseline / 2 if baseline else None
        sample = WorkloadSample(
            ops_per_sec=ops,
            errors_per_sec=0.0,
            degraded=threshold is not None and ops < threshold,
            elapsed=float(len(self._samples)),
            operations=int(sum(self._samples)),
            baseline=baseline,
            threshold=threshold,
        )
        self._bench.publish("workload.sample", to_body(sample))


class ToyAgent:
    """An agent that acts when it is told so: on each node that is down, as soon as the story lets it."""

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self.executes = False
        self.helps = True
        self.takes_s = 1.0
        self._actions: dict[str, Action] = {}
        self._work: list[asyncio.Task[None]] = []

    def pending(self) -> list[Action]:
        return [one for one in self._actions.values() if one.status in ("approved", "running")]

    def diagnosed(self, node: str) -> None:
        if self.executes and node not in self._actions:
            self._become(Action(len(self._actions) + 1, 1, "start_node", node, "approved", decided_by="policy"))
            if not self._stage.director.holds_actions:
                self.release()

    def release(self) -> None:
        for action in self.pending():
            if action.status == "approved":
                self._work.append(asyncio.create_task(self._act(action)))

    async def _act(self, action: Action) -> None:
        self._become(replace(action, status="running"))
        await self._stage.timeline.sleep(self.takes_s)
        if self.helps:
            await self._stage.cluster.revive(action.target)
        self._become(replace(action, status="succeeded" if self.helps else "failed"))

    def _become(self, action: Action) -> None:
        self._actions[action.target] = action
        topics = {"approved": "action.approved", "running": "action.started"}
        self._stage.bench.publish(topics.get(action.status, "action.finished"), to_body(action))


class Stage:
    """Everything around the director. The monitor is blind, or the agent silent, when told so."""

    def __init__(self, state_dir: Path, chapters: Sequence[Chapter] = CHAPTERS, narrator: Narrator = ENGLISH) -> None:
        self.bench = Bench(state_dir)
        self.timeline, self.cluster, self.desk = self.bench.timeline, self.bench.cluster, self.bench.desk
        self.load = ToyLoad(self.bench)
        self.director = Director(
            self.desk,
            self.load,
            self.bench.publish,
            chapters=chapters,
            narrator=narrator,
            clock=self.timeline.clock,
            wall=self.timeline.wall,
            sleep=self.timeline.sleep,
            agent=(agent := ToyAgent(self)),
        )
        self.agent = agent
        self.bench.listener = self.director.see
        self.blind = self.silent = False
        self._open: dict[str, tuple[Violation, Ticket]] = {}
        self._tickets = 0
        self._world: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self.director.start()
        self._world = [asyncio.create_task(self._monitor()), asyncio.create_task(self._clients())]
        await settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cluster.refuses_undo = None
        if self.cluster.gate is not None:
            self.cluster.gate.set()
        await self.timeline.run(self.director.close())
        for task in self._world:
            task.cancel()
        await asyncio.gather(*self._world, return_exceptions=True)
        await self.desk.release()
        self.bench.journal.close()

    @property
    def now(self) -> ChapterState:
        return self.director.state()

    def shown(self) -> list[ChapterState]:
        """Every chapter frame so far."""
        return [from_body(ChapterState, body) for topic, body in self.bench.frames if topic == "demo.chapter"]

    async def until(self, true: Callable[[ChapterState], bool], *, at_most_s: float = 60.0) -> ChapterState:
        """Let time pass until the chapter looks like this."""
        end = self.timeline.now + at_most_s
        while not true(self.now):
            assert self.timeline.now < end, f"never came: {self.now}"
            await self.timeline.advance(0.1)
        return self.now

    async def over(self) -> ChapterState:
        """Let time pass until the chapter has shown what it is for."""
        return await self.until(lambda state: not state.busy and state.expectation_met is not False)

    async def at(self, index: int) -> ChapterState:
        """Walk there from the beginning, each chapter to its end."""
        while self.now.index < index:
            await self.over()
            if self.now.index < index:
                await self.director.next()
        return await self.over()

    async def _clients(self) -> None:
        while True:
            await self.timeline.sleep(1.0)
            if self.load.running:
                self.load.sample(self.bench.down())

    async def _monitor(self) -> None:
        while True:
            await self.timeline.sleep(0.5)
            look = await self.cluster.observe()
            health = ClusterHealth("toy", look.ok, look.reason, look.nodes, look.observed_at)
            self.bench.publish("cluster.health", to_body(health))
            self.desk.note(look)
            if not self.blind:
                self._judge(look)

    def _judge(self, look: Observation) -> None:
        for node in look.nodes:
            known = self._open.get(node.id)
            if node.state != "up" and known is None:
                self._detected(node.id)
            elif node.state == "up" and known is not None:
                violation, ticket = self._open.pop(node.id)
                self.bench.publish("violation.closed", to_body(violation))
                self._publish_ticket("ticket.resolved", ticket, diagnosis=ticket.diagnosis, status="resolved")
            elif known is not None and known[1].diagnosis is None and not self.silent:
                found = Diagnosis(f"{node.id} is gone", node.id, "process_killed", "…", 0.9, "rules")
                self._open[node.id] = (known[0], self._publish_ticket("ticket.updated", known[1], diagnosis=found))
                self.agent.diagnosed(node.id)

    def _detected(self, node_id: str) -> None:
        now = self.timeline.wall()
        self._tickets += 1
        violation = Violation(f"v{self._tickets}", "node_down", node_id, "critical", f"{node_id} is down", now, now)
        ticket = Ticket(self._tickets, "node_down", node_id, "critical", "open", violation.message, now, now)
        self.bench.publish("violation.opened", to_body(violation))
        self._open[node_id] = (violation, self._publish_ticket("ticket.opened", ticket))

    def _publish_ticket(
        self, topic: str, ticket: Ticket, *, diagnosis: Diagnosis | None = None, status: str = ""
    ) -> Ticket:
        body: Body = to_body(ticket) | {"diagnosis": to_body(diagnosis) if diagnosis else None}
        if status:
            body["status"] = status
        self.bench.publish(topic, body)
        return from_body(Ticket, body)


def play(
    tmp_path: Path,
    scenario: Callable[[Stage], Awaitable[None]],
    chapters: Sequence[Chapter] = CHAPTERS,
    narrator: Narrator = ENGLISH,
) -> Stage:
    """Run ``scenario`` on a stage, end the story, and return what is left."""

    async def run() -> Stage:
        async with Stage(tmp_path, chapters, narrator) as stage:
            await scenario(stage)
        return stage

    return asyncio.run(run())
