"""A desk on a database of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.supervisor.coordination.coordination_cases import Bench

from operatord.tickets.db import FILE_NAME, TicketDB


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """To make the tables takes longer than most of these tests."""
    path = tmp_path_factory.mktemp("empty") / FILE_NAME
    TicketDB(path).close()
    return path


@pytest.fixture
def bench(tmp_path: Path, empty_database: Path) -> Iterator[Bench]:
    shutil.copy(empty_database, tmp_path / FILE_NAME)
    made = Bench(tmp_path)
    yield made
    made.db.close()
