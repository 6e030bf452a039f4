"""The table of subcommands: what each is for, and how to get at its code without importing that of the others."""

import argparse
from collections.abc import Callable
from typing import NamedTuple

from operator_clients.ctl.session import Session


class Subcommand(NamedTuple):
    """The code of one subcommand."""

    configure: Callable[[argparse.ArgumentParser], None]
    """Adds its arguments."""
    run: Callable[[argparse.Namespace, Session], int]
    """Does it and returns the exit code."""
    examples: str


class Entry(NamedTuple):
    """One line of the table."""

    group: str
    usage: str
    summary: str
    load: Callable[[], Subcommand]


def _status() -> Subcommand:
    from operator_clients.ctl.status import STATUS

    return STATUS


def _processes() -> Subcommand:
    from operator_clients.ctl.processes import PROCESSES

    return PROCESSES


def _restart() -> Subcommand:
    from operator_clients.ctl.processes import RESTART

    return RESTART


def _stop() -> Subcommand:
    from operator_clients.ctl.processes import STOP

    return STOP


def _fault() -> Subcommand:
    from operator_clients.ctl.faults import FAULT

    return FAULT


def _faults() -> Subcommand:
    from operator_clients.ctl.catalogue import FAULTS

    return FAULTS


def _recover() -> Subcommand:
    from operator_clients.ctl.faults import RECOVER

    return RECOVER


def _next() -> Subcommand:
    from operator_clients.ctl.chapters import NEXT

    return NEXT


def _previous() -> Subcommand:
    from operator_clients.ctl.chapters import PREVIOUS

    return PREVIOUS


def _goto() -> Subcommand:
    from operator_clients.ctl.chapters import GOTO

    return GOTO


def _demo() -> Subcommand:
    from operator_clients.ctl.demo import DEMO

    return DEMO


def _tickets() -> Subcommand:
    from operator_clients.ctl.tickets import TICKETS

    return TICKETS


def _ticket() -> Subcommand:
    from operator_clients.ctl.tickets import TICKET

    return TICKET


def _hold() -> Subcommand:
    from operator_clients.ctl.ticket_moves import HOLD

    return HOLD


def _resolve() -> Subcommand:
    from operator_clients.ctl.ticket_moves import RESOLVE

    return RESOLVE


def _reopen() -> Subcommand:
    from operator_clients.ctl.ticket_moves import REOPEN

    return REOPEN


def _note() -> Subcommand:
    from operator_clients.ctl.ticket_moves import NOTE

    return NOTE


def _experiment() -> Subcommand:
    from operator_clients.ctl.experiment import EXPERIMENT

    return EXPERIMENT


def _diagnose() -> Subcommand:
    from operator_clients.ctl.tickets import DIAGNOSE

    return DIAGNOSE


def _actions() -> Subcommand:
    from operator_clients.ctl.actions import ACTIONS

    return ACTIONS


def _action() -> Subcommand:
    from operator_clients.ctl.actions import ACTION

    return ACTION


def _approve() -> Subcommand:
    from operator_clients.ctl.actions import APPROVE

    return APPROVE


def _reject() -> Subcommand:
    from operator_clients.ctl.actions import REJECT

    return REJECT


def _act() -> Subcommand:
    from operator_clients.ctl.actions import ACT

    return ACT


def _agent() -> Subcommand:
    from operator_clients.ctl.actions import AGENT

    return AGENT


def _workload() -> Subcommand:
    from operator_clients.ctl.workload import WORKLOAD

    return WORKLOAD


def _logs() -> Subcommand:
    from operator_clients.ctl.stream import LOGS

    return LOGS


def _events() -> Subcommand:
    from operator_clients.ctl.stream import EVENTS

    return EVENTS


def _record() -> Subcommand:
    from operator_clients.ctl.record import RECORD

    return RECORD


def _replay() -> Subcommand:
    from operator_clients.ctl.replay import REPLAY

    return REPLAY


def _wait() -> Subcommand:
    from operator_clients.ctl.wait import WAIT

    return WAIT


def _devops() -> Subcommand:
    from operator_clients.ctl.devops import DEVOPS

    return DEVOPS


def _coord() -> Subcommand:
    from operator_clients.ctl.coord import COORD

    return COORD


COMMANDS: dict[str, Entry] = {
    "status": Entry("look", "status", "Show the daemon, the cluster, the load, the demo and what is owed.", _status),
    "processes": Entry("look", "processes", "List the supervised processes.", _processes),
    "tickets": Entry("look", "tickets [export] [--since T]", "List or export tickets, newest first.", _tickets),
    "ticket": Entry("look", "ticket N [--export FORMAT]", "Show or export one ticket.", _ticket),
    "logs": Entry("look", "logs [PROCESS...] [-f]", "Print what the processes wrote.", _logs),
    "events": Entry("look", "events [-f] [--since T]", "Print the frames of the bus.", _events),
    "record": Entry("look", "record FILE [--for D]", "Record what happens, for a replay.", _record),
    "replay": Entry("look", "replay FILE|DIR [--from T]", "Print what was recorded, or its end.", _replay),
    "hold": Entry("tickets", "hold N [--note TEXT]", "Keep a ticket: only people move it from then on.", _hold),
    "resolve": Entry("tickets", "resolve N [--note TEXT]", "Say that a ticket's trouble is over.", _resolve),
    "reopen": Entry("tickets", "reopen N [--note TEXT]", "Take up a resolved, held or escalated ticket.", _reopen),
    "note": Entry("tickets", "note N TEXT", "Write a line on a ticket.", _note),
    "fault": Entry("break and repair", "fault [KIND]", "Inject a fault after a countdown.", _fault),
    "faults": Entry("break and repair", "faults [KIND]", "List the faults there are, with their parameters.", _faults),
    "recover": Entry("break and repair", "recover [ID]", "Undo faults and verify that they are gone.", _recover),
    "wait": Entry("break and repair", "wait EVENT [--timeout S]", "Wait until something has happened.", _wait),
    "experiment": Entry(
        "break and repair", "experiment run|check FILE", "Run an experiment that a file describes.", _experiment
    ),
    "diagnose": Entry("break and repair", "diagnose [N]", "Ask the agent for a diagnosis of a ticket.", _diagnose),
    "actions": Entry("act", "actions [--status S] [--kinds]", "List actions, newest first, or their kinds.", _actions),
    "action": Entry("act", "action N", "Show one action.", _action),
    "approve": Entry("act", "approve N", "Approve a proposal; returns when it is verified.", _approve),
    "reject": Entry("act", "reject N [--reason TEXT]", "Reject a proposal.", _reject),
    "act": Entry("act", "act KIND TARGET [--dry-run]", "Do something by hand, or say what would be done.", _act),
    "agent": Entry("act", "agent on|off|show", "The kill switch, and how far the agent may go.", _agent),
    "restart": Entry("drive", "restart NAME", "Restart a process, or bring a dead server back.", _restart),
    "stop": Entry("drive", "stop NAME", "Stop a process; it stays stopped until restarted.", _stop),
    "workload": Entry("drive", "workload start|stop|show|rate N", "Start, stop, show or pace the load.", _workload),
    "next": Entry("demo", "next", "Go on to the next chapter of the demo.", _next),
    "previous": Entry("demo", "previous", "Go back one chapter, undoing what this one owes.", _previous),
    "goto": Entry("demo", "goto N|TITLE", "Go to a chapter.", _goto),
    "devops": Entry("platform", "devops start|step|complete|…", "Tell the progress of an operation.", _devops),
    "coord": Entry("platform", "coord publish|messages|ack", "Coordination messages of the last 24 hours.", _coord),
    "demo": Entry("demo", "demo --auto", "Walk through the whole demo and measure it.", _demo),
}
