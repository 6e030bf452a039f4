"""Declared processes on a real table: readiness of each incarnation, order of start and stop, how they end."""

import asyncio
import os
import pwd
import re
import signal
from pathlib import Path

import psutil
import pytest

from operatord import procfs

from .conftest import Declare

GATED = 'command = ["sh", "-c", "echo booting; until test -e gate; do sleep 0.02; done; echo up on 80; exec sleep 600"]'
"""Is up when the file ``gate`` is there."""
SERVE = """command = ["PYTHON", "-m", "http.server", "PORT", "--bind", "127.0.0.1"]"""


def groups_of(pid: int) -> set[int]:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {int(group) for group in next(line for line in status if line.startswith("Groups:")).split()[1:]}


def test_without_a_probe_it_is_ready_as_soon_as_it_runs(declare: Declare) -> None:
    async def story() -> None:
        async with declare("[process.web]\ncommand = 'sleep 600'") as host:
            state = await host.until_phase("web", "ready")
            assert state.kind == "declared"
            assert state.pid is not None

    asyncio.run(story())


def test_a_line_of_its_output_makes_each_incarnation_ready_anew(declare: Declare) -> None:
    async def story() -> None:
        async with declare(f"[process.web]\n{GATED}\nready = {{ log = 'up on [0-9]+$' }}") as host:
            await host.until(lambda: ("web", "booting") in host.lines, "the first line")
            state = host.table.state("web")
            assert (state.state, state.reason) == ("starting", "no line yet that matches 'up on [0-9]+$'")
            gate = host.directory / "gate"
            gate.touch()
            assert (await host.until_phase("web", "ready")).reason == ""

            gate.unlink()
            host.lines.clear()
            os.kill(host.pid("web"), signal.SIGKILL)
            await host.until(lambda: ("web", "booting") in host.lines, "the second incarnation")
            assert host.table.state("web").state == "starting"
            gate.touch()
            assert (await host.until_phase("web", "ready")).restarts == 1

    asyncio.run(story())


@pytest.mark.parametrize("kind", ["http = 'http://127.0.0.1:PORT/'", "tcp = PORT", "tcp = 'localhost:PORT'"])
def test_a_server_is_ready_when_it_answers_and_again_after_it_was_killed(
    declare: Declare, free_port: int, kind: str
) -> None:
    text = f"[process.web]\n{SERVE}\nready = {{ {kind} }}".replace("PORT", str(free_port))

    async def story() -> None:
        async with declare(text) as host:
            await host.until_phase("web", "ready")
            first = host.pid("web")
            os.kill(first, signal.SIGKILL)
            await host.until(lambda: host.phases("web").count("ready") == 2, "it to be ready again")
            assert host.pid("web") != first

    asyncio.run(story())


def test_a_command_that_succeeds_makes_it_ready_and_runs_where_the_process_does(
    declare: Declare, tmp_path: Path
) -> None:
    text = f"""[process.web]
    {GATED}
    cwd = "sub"
    env = {{ MARK = "a b" }}
    ready = {{ exec = ["sh", "-c", 'echo "$MARK $PWD"; test -e gate'], interval = 0.05 }}
    """

    async def story() -> None:
        async with declare(text) as host:
            await host.until(lambda: any("exit code 1" in reason for reason in host.reasons("web")), "a failed try")
            where = host.directory / "sub"
            assert host.table.state("web").reason == f"sh: exit code 1: a b {where}"
            (where / "gate").touch()
            await host.until_phase("web", "ready")

    (tmp_path / "sub").mkdir()
    asyncio.run(story())


def test_one_that_is_never_ready_is_killed_and_in_the_end_failed_with_the_reason(declare: Declare) -> None:
    text = """[process.web]
    command = ["sh", "-c", "trap '' TERM; echo here I am; while :; do sleep 1; done"]
    ready = { tcp = 1 }
    start_timeout = 1
    backoff = { base = 0.01, deaths = 2 }
    """

    async def story() -> None:
        async with declare(text) as host:
            state = await host.until_phase("web", "failed")
            assert state.restarts == 1
            assert re.match(r"not ready after [0-9.]+ s: connection to 127.0.0.1:1: Connection refused;", state.reason)
            assert "given up after 2 deaths" in state.reason
            assert state.last_lines == ["here I am"]
            assert host.phases("web") == ["starting", "backoff", "starting", "failed"]

    asyncio.run(story())


def test_each_starts_when_what_it_depends_on_is_ready_and_stops_before_it(declare: Declare) -> None:
    text = f"""
    [process.api]
    command = "sleep 600"
    depends_on = ["cache", "db"]
    [process.cache]
    command = "sleep 600"
    depends_on = ["db"]
    [process.db]
    {GATED}
    ready = {{ log = "up" }}
    [process.free]
    command = "sleep 600"
    """

    async def story() -> None:
        async with declare(text) as host:
            await host.until_phase("free", "ready")
            await host.until(lambda: host.table.state("db").reason.startswith("no line yet"), "db to wait")
            assert host.table.state("api").reason == "waits for cache, db"
            assert host.table.state("cache").reason == "waits for db"
            (host.directory / "gate").touch()
            await host.until_phase("api", "ready")
            assert [name for name in host.order("starting") if name != "free"] == ["db", "cache", "api"]
            await host.declared.stop()
            assert [name for name in host.order("stopped") if name != "free"][-3:] == ["api", "cache", "db"]
            stopped = {one.name: number for number, one in enumerate(host.states) if one.state == "stopped"}
            stopping = {one.name: number for number, one in enumerate(host.states) if one.state == "stopping"}
            assert stopped["api"] < stopping["cache"] < stopped["cache"] < stopping["db"]

    asyncio.run(story())


def test_it_waits_for_parts_of_the_daemon(declare: Declare) -> None:
    text = "[process.web]\ncommand = 'sleep 600'\ndepends_on = ['cluster', 'agent']"

    async def story() -> None:
        async with declare(text) as host:
            await host.until(lambda: host.table.state("web").reason == "waits for cluster, agent", "it to wait")
            host.declared.reached("cluster")
            await host.until(lambda: host.table.state("web").reason == "waits for agent", "it to wait on")
            host.declared.reached("agent")
            await host.until_phase("web", "ready")

    asyncio.run(story())


def test_a_dependency_that_failed_holds_it_back_until_a_person_mends_that(declare: Declare) -> None:
    text = """
    [process.db]
    command = ["sh", "-c", "test -e mended && exec sleep 600; echo broken; exit 1"]
    ready = { exec = "test -e mended" }
    restart = "never"
    [process.web]
    command = "sleep 600"
    depends_on = ["db"]
    """

    async def story() -> None:
        async with declare(text) as host:
            assert (await host.until_phase("db", "failed")).exit_code == 1
            assert host.table.state("web").reason == "waits for db"
            (host.directory / "mended").touch()
            host.declared.take_over("db")
            await host.table.restart("db")
            await host.until_phase("web", "ready")

    asyncio.run(story())


def test_one_that_a_person_stopped_while_it_waited_is_not_started_later(declare: Declare) -> None:
    async def story() -> None:
        async with declare("[process.web]\ncommand = 'sleep 600'\ndepends_on = ['cluster']") as host:
            await host.until(lambda: host.table.state("web").reason == "waits for cluster", "it to wait")
            host.declared.take_over("web")
            assert (await host.table.stop("web")).reason == ""
            host.declared.reached("cluster")
            await asyncio.sleep(0)
            assert host.phases("web") == ["stopped"]
            host.declared.take_over("web")
            assert (await host.table.restart("web")).state == "ready"

    asyncio.run(story())


def test_nothing_is_restarted_because_something_else_was(declare: Declare) -> None:
    text = "[process.db]\ncommand = 'sleep 600'\n[process.web]\ncommand = 'sleep 600'\ndepends_on = ['db']"

    async def story() -> None:
        async with declare(text) as host:
            await host.until_phase("web", "ready")
            web = host.pid("web")
            os.kill(host.pid("db"), signal.SIGKILL)
            await host.until(lambda: host.phases("db").count("ready") == 2, "db to be back")
            assert host.pid("web") == web

    asyncio.run(story())


def test_a_command_that_vanished_is_failed_with_the_reason_and_a_person_may_try_again(
    declare: Declare, tmp_path: Path
) -> None:
    program = tmp_path / "serve"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)

    async def story() -> None:
        async with declare("[process.web]\ncommand = './serve'") as host:
            await host.until_phase("web", "ready")
            moved = program.rename(tmp_path / "aside")
            os.kill(host.pid("web"), signal.SIGKILL)
            state = await host.until_phase("web", "failed")
            assert "serve" in state.reason
            moved.rename(program)
            host.declared.take_over("web")
            assert (await host.table.restart("web")).state == "ready"

    asyncio.run(story())


def test_the_time_for_the_stop_is_that_of_the_longest_chain_and_has_a_bound(declare: Declare) -> None:
    text = """
    [process.a]
    command = "sleep 600"
    stop_timeout = 2
    [process.b]
    command = "sleep 600"
    depends_on = ["a", "cluster"]
    stop_timeout = 3
    [process.c]
    command = "sleep 600"
    stop_timeout = 4
    """

    async def story() -> None:
        async with declare(text) as host:
            assert host.declared.stop_budget_s == (2 + 1) + (3 + 1)
        async with declare(text.replace("= 4", "= 60")) as host:
            assert host.declared.stop_budget_s == 40
        async with declare("") as host:
            assert host.declared.stop_budget_s == 0

    asyncio.run(story())


@pytest.mark.parametrize(
    ("restart", "code", "phase"),
    [("never", 0, "stopped"), ("never", 4, "failed"), ("on-failure", 0, "stopped"), ("on-failure", 7, "failed")],
)
def test_an_end_of_its_own_is_final_as_its_policy_says(declare: Declare, restart: str, code: int, phase: str) -> None:
    text = f"""[process.job]
    command = ["sh", "-c", "echo done; exit {code}"]
    restart = "{restart}"
    no_restart_codes = [7]
    """

    async def story() -> None:
        async with declare(text) as host:
            await host.until(lambda: host.phases("job")[-1:] == [phase], f"it to be {phase}")
            state = host.table.state("job")
            assert (state.exit_code, state.restarts) == (code, 0)

    asyncio.run(story())


def test_a_job_that_ends_well_lets_those_start_that_depend_on_it(declare: Declare) -> None:
    text = """
    [process.migrate]
    command = "true"
    restart = "never"
    [process.web]
    command = "sleep 600"
    depends_on = ["migrate"]
    """

    async def story() -> None:
        async with declare(text) as host:
            await host.until_phase("web", "ready")

    asyncio.run(story())


def test_always_restarts_even_a_success(declare: Declare) -> None:
    text = "[process.job]\ncommand = 'true'\nrestart = 'always'\nbackoff = { base = 0.01, deaths = 3 }"

    async def story() -> None:
        async with declare(text) as host:
            state = await host.until_phase("job", "failed")
            assert state.restarts == 2

    asyncio.run(story())


def test_its_own_stop_signal_is_used_and_grandchildren_go_with_it(declare: Declare) -> None:
    text = """[process.web]
    command = ["sh", "-c", "trap 'echo interrupted; exit 0' INT; sleep 600 & echo $!; while :; do sleep 0.05; done"]
    stop_signal = "INT"
    stop_timeout = 1.5
    ready = { log = "^[0-9]+$" }
    """

    async def story() -> None:
        async with declare(text) as host:
            await host.until_phase("web", "ready")
            grandchild = int(next(line for name, line in host.lines if name == "web"))
            await host.declared.stop()
            assert ("web", "interrupted") in host.lines
            assert procfs.read_stat(grandchild) is None

    asyncio.run(story())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_process_and_readiness_command_run_as_the_user_with_its_groups(declare: Declare) -> None:
    text = """[process.web]
    command = ["sh", "-c", "echo $HOME $USER; exec sleep 600"]
    user = "nobody"
    cwd = "/"
    ready = { exec = ["sh", "-c", "id -un; id -Gn; test -e /nowhere"], interval = 0.05 }
    """

    async def story() -> None:
        account = pwd.getpwnam("nobody")
        async with declare(text) as host:
            await host.until(lambda: any(name == "web" for name, _ in host.lines), "a line")
            assert host.lines[0] == ("web", f"{account.pw_dir} nobody")
            process = psutil.Process(host.pid("web"))
            assert set(process.uids()) == {account.pw_uid}
            assert set(process.gids()) == {account.pw_gid}
            assert 0 not in groups_of(process.pid)
            await host.until(lambda: host.table.state("web").reason, "the probe to complain")
            assert host.table.state("web").reason.endswith("exit code 1: nogroup")

    asyncio.run(story())
