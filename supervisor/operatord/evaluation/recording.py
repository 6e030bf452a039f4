"""What one trial shows, put together frame by frame as it happens; pure, but for the frames."""

from collections.abc import Sequence
from dataclasses import replace

from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest
from operator_protocol.frames import Frame
from operator_protocol.models import Action, ClusterHealth, Diagnosis, Node, Ticket, TicketDiagnosis
from operator_protocol.records import from_body
from operator_protocol.topics import (
    ACTION_FINISHED,
    ACTION_STARTED,
    AGENT_DIAGNOSIS,
    CLUSTER_HEALTH,
    TICKET_OPENED,
    TICKET_RESOLVED,
)
from operatord.evaluation.plan import Trial
from operatord.evaluation.seen import Answer, Injected, Look, Seen, SeenAction, SeenTicket


class Recording:
    """The frames of a trial, from ``began`` on, which is on the monotonic clock of this host, as theirs are."""

    def __init__(self, trial: Trial, began: float, *, healthy: bool, with_answers: bool) -> None:
        self._trial = trial
        self._began = began
        self._with_answers = with_answers
        """A baseline has no agent: what somebody answers meanwhile is not looked at."""
        self.looks = [Look(0.0, healthy)]
        self.tickets: dict[int, SeenTicket] = {}
        self.actions: dict[int, SeenAction] = {}
        self.injected: list[Injected] = []

    def since(self, mono: float) -> float:
        """``mono`` as a time of the trial."""
        return mono - self._began

    def struck(self, kind: str, node: Node, nodes: Sequence[Node], at: float) -> None:
        """A fault is in force since ``at``."""
        peers = [one.id for one in nodes if one.group == node.group and one.id != node.id]
        self.injected.append(Injected(at, kind, node.id, node.group, peers))

    def take(self, frame: Frame) -> None:
        """Take in a frame. One that cannot be read is passed over, as a client's state does."""
        at = self.since(frame.header.mono_ts)
        try:
            self._take(frame.topic, frame.body, at)
        except BadRequest:
            return

    def _take(self, topic: str, body: Body, at: float) -> None:
        if topic == CLUSTER_HEALTH:
            ok = from_body(ClusterHealth, body).ok
            if ok != self.looks[-1].ok:
                self.looks.append(Look(at, ok))
        elif topic == TICKET_OPENED:
            ticket = from_body(Ticket, body)
            self.tickets[ticket.id] = SeenTicket(ticket.id, ticket.invariant, ticket.node, at)
        elif topic == TICKET_RESOLVED:
            number = from_body(Ticket, body).id
            if number in self.tickets:
                self.tickets[number] = replace(self.tickets[number], resolved_at=at)
        elif topic == AGENT_DIAGNOSIS and self._with_answers:
            told = from_body(TicketDiagnosis, body)
            if (seen := self.tickets.get(told.ticket)) is not None:
                self.tickets[told.ticket] = replace(seen, answers=[*seen.answers, Answer(at, told.diagnosis)])
        elif topic in (ACTION_STARTED, ACTION_FINISHED):
            self._action(from_body(Action, body), at, over=topic == ACTION_FINISHED)

    def _action(self, action: Action, at: float, *, over: bool) -> None:
        if over and action.id in self.actions:
            self.actions[action.id] = replace(self.actions[action.id], status=action.status, ended_at=at)
        elif not over:
            self.actions[action.id] = SeenAction(action.kind, action.target, action.status, at)

    # what a runner asks on the way

    @property
    def well(self) -> bool:
        """The last look says so, and no ticket is unresolved."""
        return self.looks[-1].ok is True and all(one.resolved_at is not None for one in self.tickets.values())

    @property
    def ill_at(self) -> float | None:
        """When the first fault first showed."""
        if not self.injected:
            return None
        began = self.injected[0].at
        moments = [look.at for look in self.looks if look.at >= began and look.ok is not True]
        return min(
            [*moments, *(one.opened_at for one in self.tickets.values() if one.opened_at >= began)], default=None
        )

    @property
    def news_at(self) -> float:
        """When something was last injected, ticketed, answered, done, or changed in the looks."""
        tickets = self.tickets.values()
        moments = [one.at for one in self.injected] + [one.at for one in self.looks]
        moments += [at for one in tickets for at in (one.opened_at, one.resolved_at) if at is not None]
        moments += [answer.at for one in tickets for answer in one.answers]
        moments += [at for one in self.actions.values() for at in (one.began_at, one.ended_at) if at is not None]
        return max(moments)

    def answers(self) -> list[Diagnosis]:
        """All there are."""
        return [answer.diagnosis for one in self.tickets.values() for answer in one.answers]

    def seen(self, took_s: float, undone_at: float | None) -> Seen:
        """All of it, to be kept."""
        return Seen(
            "ran",
            took_s=took_s,
            injected=list(self.injected),
            looks=list(self.looks),
            tickets=[self.tickets[number] for number in sorted(self.tickets)],
            actions=[self.actions[number] for number in sorted(self.actions)],
            undone_at=undone_at,
        )
