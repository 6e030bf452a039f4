"""What people see is what was looked at: ``python -m tests.clients.viewer.write_golden`` writes it anew."""

import time
from collections.abc import Iterator

import pytest
from tests.clients.viewer.golden_screens import DIRECTORY, screens


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_the_screens_are_those_that_were_looked_at() -> None:
    shown = dict(screens())
    known = {path.stem: path.read_text(encoding="utf-8") for path in DIRECTORY.glob("*.txt")}
    assert sorted(shown) == sorted(known)
    for name, text in shown.items():
        assert text.splitlines() == known[name].splitlines(), name
