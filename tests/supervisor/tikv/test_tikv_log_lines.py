"""The bracketed log format of TiKV and PD, as their sources and documentation write it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operatord.subjects.tikv.logs import parse

ELECTION = (
    '[2024/08/07 09:44:59.054 +00:00] [INFO] [raft.rs:1228] ["became leader at term 6"] [term=6] [raft_id=49]'
    " [region_id=48] [thread_id=12]"
)


def test_a_line_is_taken_apart_into_time_level_source_message_and_fields() -> None:
    line = parse(ELECTION)
    assert line is not None
    assert (line.at, line.level, line.source) == (1723023899.054, "INFO", "raft.rs:1228")
    assert line.message == "became leader at term 6"
    assert line.fields == {"term": "6", "raft_id": "49", "region_id": "48", "thread_id": "12"}
    assert line.number("region_id") == 48
    assert line.number("nothing") is None


def test_the_offset_of_the_line_counts() -> None:
    east, west = parse(ELECTION.replace("+00:00", "+08:00")), parse(ELECTION.replace("+00:00", "-03:30"))
    assert east is not None
    assert west is not None
    assert west.at - east.at == 11.5 * 3600


def test_quotes_protect_brackets_equals_signs_and_keys_with_spaces() -> None:
    line = parse(
        r'[2024/08/07 09:44:59.054 +00:00] [WARN] [raft.rs:1] ["odd = \"]\" ["] ["last term"=5]'
        r' [config="Configuration { a: [1, 2] }"] [empty=] [bare]'
    )
    assert line is not None
    assert line.message == 'odd = "]" ['
    assert line.fields == {"last term": "5", "config": "Configuration { a: [1, 2] }", "empty": "", "bare": ""}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "thread 'main' panicked at src/main.rs:1",
        "[2024/08/07 09:44:59.054 +00:00] [INFO]",
        '[2024/08/07 09:44:59.054 +00:00] [LOUD] [a.rs:1] ["m"]',
        '[2024/13/07 09:44:59.054 +00:00] [INFO] [a.rs:1] ["m"]',
        '[2024/08/07 09:44:59.054] [INFO] [a.rs:1] ["m"]',
        '[2024/08/07 09:44:59.054 +00:00] [INFO] [a.rs:1] ["never closed]',
        '[2024/08/07 09:44:59.054 +00:00] [INFO] [a.rs:1] ["m"] and more',
    ],
)
def test_what_is_not_of_the_format_is_none(text: str) -> None:
    assert parse(text) is None


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    parse(text)


@given(st.text(), st.text(min_size=1), st.text())
def test_what_is_quoted_comes_back_whole(message: str, key: str, value: str) -> None:
    quoted = [json.dumps(one, ensure_ascii=False) for one in (message, key, value)]
    line = parse(f"[2024/08/07 09:44:59.054 +00:00] [INFO] [a.rs:1] [{quoted[0]}] [{quoted[1]}={quoted[2]}]")
    assert line is not None
    assert line.message == message
    assert line.fields == {key: value}
