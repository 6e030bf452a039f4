"""How the official client is loaded: a quarter of a second of imports, by the first who asks."""

import subprocess
import sys
from pathlib import Path

_LOADERS = """
import pathlib, sys, threading
from operator_clients.web.kubernetes.connection import Connection
from operator_protocol.errors import Unavailable

loaders = set()

def heard(event, args):
    if event == "import" and args[0].partition(".")[0] == "kubernetes":
        loaders.add(threading.current_thread().name)

sys.addaudithook(heard)
line = Connection(pathlib.Path(sys.argv[1]), None, 8)
together = threading.Barrier(4)

def ask(open_api):
    together.wait()
    try:
        open_api()
    except Unavailable:
        pass

threads = [threading.Thread(target=ask, args=(one,)) for one in (line.core, line.core, line.core, line.custom)]
for one in threads:
    one.start()
for one in threads:
    one.join()
print(len(loaders))
"""


def test_one_thread_loads_the_client_while_the_others_wait(tmp_path: Path) -> None:
    """Two that import its parts at once may each find the other's half done, and then it stays broken for good."""
    config = tmp_path / "config"
    config.write_text(
        "{apiVersion: v1, kind: Config, current-context: x, clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}],"
        " users: [{name: u, user: {token: t}}], contexts: [{name: x, context: {cluster: c, user: u}}]}"
    )
    done = subprocess.run([sys.executable, "-c", _LOADERS, str(config)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]
