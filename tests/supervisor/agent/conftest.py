from collections.abc import Iterator

import pytest
from tests.standins.claude import Api, standing

from .asking import KEY


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The stand-in, and a key for it."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with standing() as server:
        yield server
