"""The bundle: bounded, complete, readable again, and the same for both diagnosers."""

from dataclasses import replace

import pytest
from tests.supervisor.workers import agent_cases as cases
from tests.supervisor.workers import tikv_cases
from tests.supervisor.workers.test_agent_rules import ANSWERS, NAMES, Case

from operator_protocol.codec import pack, unpack
from operator_protocol.models import Diagnosis, EvidenceItem
from operator_protocol.records import from_body
from operatord.tickets.dossier import Dossier, LogLine
from operatord.workers.agent.answer.report import write
from operatord.workers.agent.bundle.findings import (
    MAX_ITEMS,
    MAX_LOOKED_UP,
    MAX_TEXT_BYTES,
    MAX_TEXT_CHARS,
    Bundle,
    Pad,
)
from operatord.workers.agent.bundle.gathering import gather
from operatord.workers.agent.claude import output
from operatord.workers.agent.rules.causes import CAUSES, TITLES
from operatord.workers.agent.rules.weighing import weigh


def diagnose(dossier: Dossier) -> Diagnosis:
    bundle = gather(dossier)
    return write(bundle, weigh(bundle))


@pytest.mark.parametrize("case", [case for case, _cause, _component in ANSWERS], ids=NAMES)
def test_a_bundle_is_bounded_and_can_be_read_back_from_its_export(case: Case) -> None:
    bundle = gather(case())
    assert len(bundle.findings) <= MAX_ITEMS
    assert sum(len(one.text.encode()) for one in bundle.findings) <= MAX_TEXT_BYTES
    assert from_body(Bundle, unpack(pack(bundle.export()))) == bundle


def test_a_flood_of_evidence_is_cut_and_the_cut_is_counted() -> None:
    pad = Pad(0.0)
    for number in range(500):
        pad.add("log", "log_other", f"{number} " + "ü" * 5_000)
    assert pad.findings
    assert len(pad.findings) + pad.omitted == 500
    assert all(len(one.text) <= MAX_TEXT_CHARS for one in pad.findings)
    assert sum(len(one.text.encode()) for one in pad.findings) <= MAX_TEXT_BYTES


def test_what_is_looked_up_is_bounded_too() -> None:
    bundle = gather(cases.primary_killed())
    before = len(bundle.findings)
    for _ in range(20):
        bundle = bundle.looked_up("log", [f"line {number}" for number in range(30)])
    assert len(bundle.findings) == before + MAX_LOOKED_UP
    assert bundle.omitted == 600 - MAX_LOOKED_UP
    assert len({one.id for one in bundle.findings}) == len(bundle.findings)


@pytest.mark.parametrize("case", [case for case, _cause, _component in ANSWERS], ids=NAMES)
def test_what_the_rules_say_fits_the_structure_that_claude_is_held_to(case: Case) -> None:
    assert output.of(diagnose(case())).cause == diagnose(case()).cause


def test_so_does_what_they_say_of_tikv() -> None:
    for case in (tikv_cases.store_killed, tikv_cases.disk_full, tikv_cases.no_pd_leader, tikv_cases.blind):
        assert output.of(diagnose(case())).summary


def test_every_cause_that_may_be_named_has_a_title_and_is_in_the_schema() -> None:
    assert set(TITLES) == set(CAUSES)
    assert all(f'"{cause}"' in output.schema() for cause in CAUSES)


def test_a_huge_dossier_makes_no_huge_bundle() -> None:
    dossier = cases.primary_killed()
    flood = [LogLine(cases.T0 + 0.1 + number / 1_000, f"# error {number} " + "x" * 400) for number in range(200)]
    facts = [EvidenceItem(number, "metric", "y" * 9_000) for number in range(1, 400)]
    bundle = gather(replace(dossier, logs=dict.fromkeys(dossier.logs, flood)), facts)
    assert len(bundle.findings) <= MAX_ITEMS
    assert weigh(bundle).cause == "process_killed"
