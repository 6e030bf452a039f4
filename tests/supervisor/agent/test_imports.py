"""What an answer of the rules does not pay for, and what the agent is made of."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
RULES_ANSWER = """
import asyncio, sys
import operatord.workers.runtime
from tests.supervisor.agent.asking import ask
from operatord.workers.agent.settings import AgentSettings
(told,) = ask(AgentSettings(diagnoser="auto"))
assert told.diagnosis.source == "rules", told
heavy = {"anthropic", "httpx2", "opentelemetry", "sqlalchemy"} & set(sys.modules)
print("heavy:", sorted(heavy))
"""


def python(code: str, *, cwd: Path = ROOT) -> str:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(cwd)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_answer_of_the_rules_imports_no_client_library() -> None:
    assert python(RULES_ANSWER) == "heavy: []"


def test_a_start_of_the_daemon_imports_no_client_library() -> None:
    assert python("import operatord.daemon, sys; print('anthropic' in sys.modules)") == "False"
