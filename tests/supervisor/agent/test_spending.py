"""What a day may cost, kept over restarts."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.standins.claude import Api, Reply, answer, error, message, text

from operatord.workers.agent.claude.spending import Ledger, Usage
from operatord.workers.agent.settings import Prices

from .asking import ask, settings

NOON = 1_790_000_000.0
DAY_S = 86_400.0


def test_tokens_are_priced_by_kind() -> None:
    usage = Usage(input=1_000_000, output=100_000, cache_read=2_000_000, cache_write=400_000)
    assert usage.cost(Prices()) == pytest.approx(2.0 + 1.0 + 0.4 + 1.0)
    assert (usage + usage).total == 7_000_000


def test_what_is_booked_counts_until_it_is_settled(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.json", 1.0, wall=lambda: NOON)
    settle = ledger.book(0.9)
    assert ledger.is_spent(0.2)
    settle(0.1, 500)
    assert not ledger.is_spent(0.2)
    assert (round(ledger.spent_usd, 6), ledger.tokens) == (0.1, 500)


def test_a_restart_does_not_begin_a_new_day_and_a_crash_counts_what_was_booked(tmp_path: Path) -> None:
    path = tmp_path / "l.json"
    Ledger(path, 1.0, wall=lambda: NOON).book(0.7)
    assert Ledger(path, 1.0, wall=lambda: NOON).spent_usd == pytest.approx(0.7)
    assert Ledger(path, 1.0, wall=lambda: NOON + DAY_S).spent_usd == 0.0
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_call_over_midnight_is_charged_to_the_new_day(tmp_path: Path) -> None:
    now = [NOON]
    ledger = Ledger(tmp_path / "l.json", 1.0, wall=lambda: now[0])
    settle = ledger.book(0.5)
    now[0] += DAY_S
    settle(0.2, 10)
    assert ledger.spent_usd == pytest.approx(0.2)


@pytest.mark.parametrize("text", ["", "{", '{"day": 3}', '{"day": "2026-09-21", "usd": "x", "tokens": 0}', "[]"])
def test_a_file_that_makes_no_sense_is_an_empty_day(tmp_path: Path, text: str) -> None:
    path = tmp_path / "l.json"
    path.write_text(text)
    assert Ledger(path, 1.0, wall=lambda: NOON).spent_usd == 0.0


def test_a_directory_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "gone" / "l.json", 1.0, wall=lambda: NOON)
    ledger.book(0.5)(0.1, 1)
    assert ledger.spent_usd == pytest.approx(0.1)


def test_the_ceiling_of_the_day_holds_over_tickets_and_workers(api: Api, tmp_path: Path) -> None:
    configured = settings(api, ledger=str(tmp_path / "l.json"), daily_ceiling_usd=0.15)
    first, second = ask(configured), ask(configured)
    assert first[0].diagnosis.source == "claude-sonnet-5-5"
    assert second[0].diagnosis.usage["cost_today_usd"] == pytest.approx(0.008)
    poor = settings(api, ledger=str(tmp_path / "l.json"), daily_ceiling_usd=0.009)
    (third,) = ask(poor)
    assert third.diagnosis.source == "rules"
    assert "today's ceiling: 0.01 of 0.01 USD" in third.diagnosis.remarks[0]
    assert len(api.requests) == 2


def test_a_call_that_was_cut_off_stays_booked_and_one_that_was_refused_does_not(api: Api, tmp_path: Path) -> None:
    """Whoever hangs up is charged for what the model wrote meanwhile: hanging up must not get round the ceiling."""
    path = tmp_path / "l.json"
    spent = []
    cases: list[tuple[Reply, dict[str, Any]]] = [
        (error(529, "overloaded_error", "Overloaded"), {}),
        (Reply(200, {}, hang_s=30), {"call_timeout_s": 1.5}),
        (Reply(200, {}, hang_s=30), {"deadline_s": 1.5}),
    ]
    for reply, change in cases:
        api.answers(reply)
        ask(settings(api, ledger=str(path), **change))
        spent.append(Ledger(path, 5.0).spent_usd)
    assert spent[0] == 0.0
    most_usd = 8_000 * 10 / 1e6
    assert spent[1] > most_usd
    assert spent[2] > 2 * most_usd


def test_usage_that_is_no_number_of_tokens_gives_no_budget_back(api: Api, tmp_path: Path) -> None:
    path = tmp_path / "l.json"
    Ledger(path, 5.0).book(1.0)
    api.answers(diagnosis_of(read=-10_000_000, wrote=-5))
    (told,) = ask(settings(api, ledger=str(path)))
    assert told.diagnosis.source == "claude-sonnet-5-5"
    assert Ledger(path, 5.0).spent_usd == pytest.approx(1.0)


def diagnosis_of(*, read: int, wrote: int) -> Reply:
    return message([text(json.dumps(answer()))], read=read, wrote=wrote)
