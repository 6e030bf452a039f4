"""The program that plays the stores is in shape, as ``make check`` has it of the rest."""

import shutil
import subprocess

import pytest
from tests.real.tikv.programs import PD_MODULE, Programs

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


@pytest.mark.parametrize("command", [("go", "vet", "./stores"), ("gofmt", "-l", ".")])
def test_go_has_nothing_to_say_of_it(programs: Programs, command: tuple[str, ...]) -> None:
    assert programs.stores.exists()
    found = shutil.which(command[0])
    assert found is not None
    done = subprocess.run([found, *command[1:]], cwd=PD_MODULE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
