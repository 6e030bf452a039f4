"""The table of processes, with real workers and servers."""

import asyncio
import os
import signal
import subprocess
from functools import partial
from pathlib import Path

import psutil
import pytest

from operator_protocol.errors import BadRequest, Conflict, DeadlineExceeded, NotFound, Unavailable
from operator_protocol.models import STOPPED_BY_COMMAND
from operatord import procfs
from operatord.processes.backoff import BackoffPolicy
from operatord.processes.lifecycle import Patience
from operatord.processes.records import ServerRecords
from operatord.processes.supervision import Policies
from operatord.processes.table import ProcessTable
from operatord.procfs import ProcessId

from .conftest import QUICK, MakeHost


def gone(pid: int) -> bool:
    return procfs.read_stat(pid) is None


def identity(pid: int) -> ProcessId:
    stat = procfs.read_stat(pid)
    assert stat is not None
    return stat.id


def test_a_worker_becomes_ready_and_stops_on_request(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            pid = await h.worker("monitor", "steady")
            assert procfs.start_time(pid) == h.table.start_time("monitor")
            state = await h.table.stop("monitor")
            assert state.state == "stopped"
            assert h.phases("monitor") == ["starting", "starting", "ready", "stopping", "stopped"]
            assert gone(pid)
            assert h.table.pid("monitor") is None

    asyncio.run(story())


def test_a_killed_worker_is_ready_again_with_another_pid(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            first = await h.worker("monitor", "steady")
            os.kill(first, signal.SIGKILL)
            await h.until(lambda: bool(h.exits))
            await h.table.wait_ready(["monitor"], 15)
            assert h.pid("monitor") != first
            assert h.exits[0][1].signal == signal.SIGKILL
            state = h.table.state("monitor")
            assert (state.restarts, state.signal) == (1, None)
            assert h.phases("monitor")[3:] == ["backoff", "starting", "starting", "ready"]

    asyncio.run(story())


def test_a_stopped_worker_is_found_by_its_missing_beats_and_replaced(host: MakeHost) -> None:
    async def story() -> None:
        policies = Policies(backoff=QUICK.backoff, patience=Patience(beat_s=0.2, missed_beats=3))
        async with host(policies) as h:
            first = await h.worker("monitor", "beating")
            os.kill(first, signal.SIGSTOP)
            await h.until(lambda: bool(h.exits))
            assert "no sign of life" in h.exits[0][1].reason
            await h.table.wait_ready(["monitor"], 15)
            assert h.pid("monitor") != first
            assert gone(first)

    asyncio.run(story())


def test_a_worker_that_beats_is_left_alone(host: MakeHost) -> None:
    async def story() -> None:
        policies = Policies(patience=Patience(beat_s=1, missed_beats=3))
        async with host(policies) as h:
            first = await h.worker("monitor", "beating")
            await h.until(lambda: h.lines("monitor").count("beat") >= 40)
            assert h.pid("monitor") == first

    asyncio.run(story())


def test_a_daemon_that_was_itself_asleep_blames_nobody(host: MakeHost) -> None:
    async def story() -> None:
        async with host(Policies(patience=Patience(beat_s=10, missed_beats=3))) as h:
            first = await h.worker("monitor", "beating")
            # As after a SIGSTOP of the daemon, or a loop that was blocked: the beats of an hour come late.
            h.clock_ahead_s += 3600
            beats = h.lines("monitor").count("beat")
            await h.until(lambda: h.lines("monitor").count("beat") >= beats + 12)
            assert h.pid("monitor") == first
            assert h.exits == []

    asyncio.run(story())


def test_a_worker_that_never_gets_ready_is_killed_at_its_deadline(host: MakeHost) -> None:
    async def story() -> None:
        policies = Policies(patience=Patience(start_s=0.3))
        async with host(policies) as h:
            h.table.add_worker("agent", "process_bodies:mute")
            await h.table.start_worker("agent")
            with pytest.raises(DeadlineExceeded, match="agent"):
                await h.table.wait_ready(["agent"], 0.2)
            await h.until(lambda: bool(h.exits))
            assert h.exits[0][1].signal == signal.SIGKILL
            assert "not ready after" in h.exits[0][1].reason

    asyncio.run(story())


def test_a_worker_that_keeps_dying_is_given_up_and_says_why(host: MakeHost) -> None:
    async def story() -> None:
        policies = Policies(backoff=BackoffPolicy(base_s=0.01, cap_s=0.02, flap_deaths=4))
        async with host(policies) as h:
            h.table.add_worker("agent", "process_bodies:exits", {"code": 3})
            await h.table.start_worker("agent")
            with pytest.raises(Unavailable, match="agent is failed"):
                await h.table.wait_ready(["agent"], 15)
            state = h.table.state("agent")
            assert (state.state, state.exit_code, state.restarts) == ("failed", 3, 3)
            assert state.reason == "exited with 3; given up after 4 deaths"
            assert h.lines("agent") == ["leaving with 3"] * 4

    asyncio.run(story())


def test_a_worker_that_raises_leaves_its_traceback_in_the_log(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            h.table.add_worker("agent", "process_bodies:raises")
            await h.table.start_worker("agent")
            await h.until(lambda: bool(h.exits))
            assert h.exits[0][1].exit_code == 1
            assert "RuntimeError: this worker is broken" in h.lines("agent", "stderr")
            # The last words come before the news of the death.
            assert h.phases("agent")[2] == "backoff"

    asyncio.run(story())


def test_an_entry_point_that_does_not_exist_is_an_error_of_that_worker(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            h.table.add_worker("agent", "no_such_module:main")
            await h.table.start_worker("agent")
            await h.until(lambda: bool(h.exits))
            assert any("no_such_module" in line for line in h.lines("agent", "stderr"))
            await h.worker("monitor", "steady")

    asyncio.run(story())


def test_a_worker_starts_with_a_clean_slate(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            await h.worker("monitor", "inspect", colour="green")
            assert h.lines("monitor")[0] == (
                "stdin=/dev/null defaults=True blocked=0 leader=True "
                f"name=op:monitor ppid={os.getpid()} fds=0 args={{'colour': 'green'}}"
            )

    asyncio.run(story())


def test_a_stubborn_worker_is_killed_after_the_deadline(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            pid = await h.worker("ycsb", "stubborn")
            await h.table.terminate("ycsb", timeout_s=0.2)
            assert gone(pid)
            assert h.table.state("ycsb").signal == signal.SIGKILL

    asyncio.run(story())


def test_restart_brings_another_incarnation_and_stop_stays_stopped(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            first = await h.worker("monitor", "steady")
            await h.table.restart("monitor")
            await h.table.wait_ready(["monitor"], 15)
            assert h.pid("monitor") != first
            await h.table.stop("monitor")
            assert (await h.table.stop("monitor")).state == "stopped"
            with pytest.raises(Unavailable, match="monitor is stopped"):
                await h.table.wait_ready(["monitor"], 1)
            await h.table.restart("monitor")
            await h.table.wait_ready(["monitor"], 15)

    asyncio.run(story())


def test_a_worker_can_be_stopped_while_it_is_being_forked(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            h.table.add_worker("monitor", "process_bodies:steady")
            starting = asyncio.create_task(h.table.start_worker("monitor"))
            await asyncio.sleep(0)
            assert (await h.table.stop("monitor")).state == "stopped"
            await starting
            assert h.table.pid("monitor") is None
            await h.table.restart("monitor")
            await h.table.wait_ready(["monitor"], 15)

    asyncio.run(story())


def test_the_children_of_a_dead_worker_are_ended_and_reaped(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            pid = await h.worker("ycsb", "parent")
            family = [int(one) for one in h.lines("ycsb")[0].split()[1:]]
            os.kill(pid, signal.SIGKILL)
            await h.until(lambda: all(gone(member) for member in [pid, *family]))
            await h.table.wait_ready(["ycsb"], 15)

    asyncio.run(story())


def test_the_children_of_a_stopped_worker_are_ended_and_reaped(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            pid = await h.worker("ycsb", "parent")
            family = [int(one) for one in h.lines("ycsb")[0].split()[1:]]
            await h.table.stop("ycsb")
            await h.until(lambda: all(gone(member) for member in [pid, *family]))

    asyncio.run(story())


def test_nobody_loses_an_exit_code_while_orphans_are_being_reaped(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            h.table.add_worker("ycsb", "process_bodies:parent")
            await h.table.start_worker("ycsb")
            for round_ in range(6):
                # Children that know nothing of the table, in its very process: the worst that can happen to it.
                others = [start_stranger(7 + number) for number in range(8)]
                if round_ % 2:
                    await h.table.wait_ready(["ycsb"], 15)
                    os.kill(h.pid("ycsb"), signal.SIGKILL)
                for other in others:
                    await h.until(partial(is_zombie, other.pid))
                assert [other.wait() for other in others] == [7 + number for number in range(8)]
            await h.table.wait_ready(["ycsb"], 15)

    asyncio.run(story())


def start_stranger(code: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["sh", "-c", f"exit {code}"])


def is_zombie(pid: int) -> bool:
    stat = procfs.read_stat(pid)
    return stat is not None and not stat.alive


def test_the_death_of_the_fork_server_leaves_workers_untouched(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            monitor = await h.worker("monitor", "steady")
            first = h.pid("forkserver")
            os.kill(first, signal.SIGKILL)
            await h.until(lambda: h.table.pid("forkserver") not in (None, first))
            assert h.pid("monitor") == monitor
            assert procfs.is_alive(identity(monitor))
            os.kill(monitor, signal.SIGKILL)
            await h.until(lambda: bool([name for name, _ in h.exits if name == "monitor"]))
            await h.table.wait_ready(["monitor"], 15)
            assert h.table.state("forkserver").restarts == 1

    asyncio.run(story())


def test_a_worker_asked_of_a_dying_fork_server_comes_from_the_next_one(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            await h.worker("monitor", "steady")
            os.kill(h.pid("forkserver"), signal.SIGSTOP)
            h.table.add_worker("agent", "process_bodies:steady")
            starting = asyncio.create_task(h.table.start_worker("agent"))
            await asyncio.sleep(0.05)
            os.kill(h.pid("forkserver"), signal.SIGKILL)
            await starting
            await h.table.wait_ready(["agent"], 15)

    asyncio.run(story())


def test_a_server_is_started_by_exec_and_never_restarted(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            pid = await h.table.launch("valkey-0", ["sh", "-c", "echo up; sleep 60 & wait"])
            assert h.table.state("valkey-0").kind == "server"
            await h.until(lambda: h.lines("valkey-0") == ["up"])
            with pytest.raises(Conflict):
                await h.table.launch("valkey-0", ["true"])
            sleepers = procfs.children(pid)
            h.table.signal("valkey-0", signal.SIGKILL)
            await h.until(lambda: bool(h.exits))
            state = h.table.state("valkey-0")
            assert (state.state, state.signal, state.reason) == ("failed", signal.SIGKILL, "killed by SIGKILL")
            await h.until(lambda: all(gone(sleeper.pid) for sleeper in sleepers))
            assert h.table.pid("valkey-0") is None
            with pytest.raises(NotFound):
                h.table.signal("valkey-0", signal.SIGTERM)
            again = await h.table.launch("valkey-0", ["sleep", "60"])
            assert again != pid
            assert h.records.servers()[0].pid == again
            await h.table.terminate("valkey-0")
            await h.table.terminate("valkey-0")
            assert h.records.all() == []

    asyncio.run(story())


def test_a_paused_server_can_be_terminated(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            await h.table.launch("valkey-0", ["sleep", "60"])
            h.table.signal("valkey-0", signal.SIGSTOP)
            await h.table.terminate("valkey-0", timeout_s=15)
            assert h.table.state("valkey-0").signal == signal.SIGTERM

    asyncio.run(story())


def test_a_group_is_ended_although_its_leader_went_first(host: MakeHost, tmp_path: Path) -> None:
    async def story() -> None:
        async with host() as h:
            # The leader obeys TERM at once, its child only says goodbye after a while, its other child never.
            script = (
                "(trap 'sleep 0.2; echo bye; exit' TERM; echo one; while :; do sleep 0.05; done) & "
                "(trap '' TERM; echo two; while :; do sleep 0.05; done) & wait"
            )
            pid = await h.table.launch("valkey-0", ["sh", "-c", script])
            await h.until(lambda: len(h.lines("valkey-0")) == 2)
            await h.table.terminate("valkey-0", timeout_s=2.0)
            assert procfs.group_members(pid) == []
            await h.until(lambda: "bye" in h.lines("valkey-0"))

    asyncio.run(story())


@pytest.mark.parametrize("argv", [["/no/such/command"], ["no-such-command"], ["/etc/passwd"], ["/etc"]])
def test_a_command_that_cannot_be_run_is_refused_by_name(host: MakeHost, argv: list[str]) -> None:
    async def story() -> None:
        async with host() as h:
            with pytest.raises(Unavailable, match=argv[0]):
                await h.table.launch("valkey-0", argv)
            assert h.table.state("valkey-0").state == "failed"
            with pytest.raises(Unavailable, match="cannot start sleep"):
                await h.table.launch("valkey-0", ["sleep", "1"], cwd=Path("/no/such/directory"))
            await h.table.launch("valkey-0", ["sleep", "60"])

    asyncio.run(story())


def test_a_server_that_was_stopped_for_a_reason_keeps_it_until_it_is_started(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            for ended_before in (False, True):
                await h.table.launch("valkey-0", ["sleep", "60"])
                if ended_before:
                    await h.table.terminate("valkey-0")
                    assert h.table.state("valkey-0").reason == ""
                stopped = await h.table.stop("valkey-0", STOPPED_BY_COMMAND)
                assert stopped.stopped_by_command
                assert h.table.state("valkey-0") == stopped
                assert not (await h.table.restart("valkey-0")).stopped_by_command
                await h.table.terminate("valkey-0")
                assert not h.table.state("valkey-0").stopped_by_command

    asyncio.run(story())


def test_kept_servers_survive_and_are_adopted(host: MakeHost) -> None:
    async def story() -> None:
        script = "trap '' TERM; echo up; while :; do sleep 0.05; done"
        async with host(keep_servers=True) as first:
            pid = await first.table.launch("valkey-0", ["sh", "-c", script])
            await first.until(lambda: first.lines("valkey-0") == ["up"])
        assert procfs.is_alive(identity(pid))
        async with host(keep_servers=True) as second:
            record = second.records.servers()[0]
            assert second.table.adopt(record)
            assert second.table.pid("valkey-0") == pid
            assert second.table.state("valkey-0").reason == "adopted"
            second.table.signal("valkey-0", signal.SIGKILL)
            await second.until(lambda: bool(second.exits))
            assert second.table.state("valkey-0").state == "failed"
            assert second.records.servers() == []
            assert not second.table.adopt(record)

    asyncio.run(story())


def test_an_adopted_server_can_be_terminated(host: MakeHost) -> None:
    async def story() -> None:
        async with host(keep_servers=True) as first:
            pid = await first.table.launch("valkey-0", ["sleep", "60"])
        async with host() as second:
            assert second.table.adopt(second.records.servers()[0])
            await second.table.terminate("valkey-0")
            assert gone(pid)

    asyncio.run(story())


def test_usage_is_measured_for_what_runs(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            pid = await h.worker("monitor", "steady")
            h.table.add_worker("agent", "process_bodies:steady")
            states = {state.name: state for state in h.table.sample_usage()}
            rss = states["monitor"].rss
            assert rss is not None
            assert rss == pytest.approx(psutil.Process(pid).memory_info().rss, rel=0.2)
            assert states["monitor"].cpu_percent == 0
            assert states["monitor"].descriptors == psutil.Process(pid).num_fds()
            assert states["monitor"].threads == 1
            assert states["agent"].rss is None
            assert states["agent"].descriptors is None


def test_a_worker_that_runs_in_circles_is_found_and_its_processor_time_shown(host: MakeHost) -> None:
    async def story() -> None:
        policies = Policies(backoff=QUICK.backoff, patience=Patience(beat_s=1.0, missed_beats=3))
        async with host(policies) as h:
            first = await h.worker("monitor", "circling")
            h.table.sample_usage()
            await h.until(lambda: h.lines("monitor").count("beat") == 5)
            busy = psutil.Process(first).cpu_times().user
            await h.until(lambda: bool(h.exits) or psutil.Process(first).cpu_times().user > busy + 0.1)
            percent = {state.name: state.cpu_percent for state in h.table.sample_usage()}["monitor"]
            assert percent is not None
            assert percent > 1
            await h.until(lambda: bool(h.exits))
            assert "no sign of life" in h.exits[0][1].reason
            await h.table.wait_ready(["monitor"], 15)
            assert h.pid("monitor") != first

    asyncio.run(story())


def test_arguments_that_are_too_large_are_refused_with_the_way_out(host: MakeHost) -> None:
    async def story() -> None:
        async with host(Policies(backoff=BackoffPolicy(flap_deaths=1))) as h:
            h.table.add_worker("agent", "process_bodies:steady", {"text": "x" * 100_000})
            await h.table.start_worker("agent")
            state = h.table.state("agent")
            assert state.state == "failed"
            assert "arguments of agent take" in state.reason

    asyncio.run(story())


def test_a_fork_server_that_is_stuck_does_not_keep_the_table_from_stopping(host: MakeHost) -> None:
    async def story() -> int:
        async with host() as h:
            await h.worker("monitor", "steady")
            stuck = h.pid("forkserver")
            os.kill(stuck, signal.SIGSTOP)
            return stuck

    assert gone(asyncio.run(story()))


def test_nothing_can_be_asked_of_a_table_that_does_not_run(tmp_path: Path) -> None:
    async def story() -> None:
        table = ProcessTable(
            on_state=lambda state: None, on_log=lambda *line: None, records=ServerRecords(tmp_path / "servers.json")
        )
        table.add_worker("monitor", "process_bodies:steady")
        with pytest.raises(Unavailable):
            await table.start_worker("monitor")
        with pytest.raises(Unavailable):
            await table.launch("valkey-0", ["true"])
        await table.stop_all()
        assert [state.state for state in table.states()] == ["stopped"]

    asyncio.run(story())


def test_names_are_checked(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            with pytest.raises(BadRequest):
                h.table.add_worker("Not A Name", "process_bodies:steady")
            with pytest.raises(Conflict):
                h.table.add_worker("forkserver", "process_bodies:steady")
            h.table.add_worker("monitor", "process_bodies:steady")
            with pytest.raises(Conflict):
                await h.table.launch("monitor", ["sleep", "60"])
            with pytest.raises(NotFound, match="nobody"):
                await h.table.stop("nobody")
            with pytest.raises(Conflict):
                await h.table.restart("forkserver")

    asyncio.run(story())


def test_the_word_of_an_earlier_incarnation_does_not_count(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            h.table.add_worker("agent", "process_bodies:mute")
            await h.table.start_worker("agent")
            h.table.mark_ready("agent", h.pid("agent") + 1)
            assert h.table.state("agent").state == "starting"
            h.table.mark_ready("agent", h.pid("agent"))
            assert h.table.state("agent").state == "ready"
            h.table.mark_ready("nobody")
            h.table.beat("nobody")

    asyncio.run(story())


def test_a_flood_of_output_is_dropped_and_counted_and_its_end_is_kept(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            h.table.add_worker("ycsb", "process_bodies:flood", {"lines": 200_000})
            await h.table.start_worker("ycsb")
            await h.until(lambda: bool(h.exits))
            await h.table.stop("ycsb")
            entries = [(line, dropped) for name, _, line, dropped in h.logs if name == "ycsb"]
            lines = [line for line, _ in entries]
            first_life = entries[: lines.index("no newline") + 1]
            assert [line for line, _ in first_life[-2:]] == ["last words", "no newline"]
            assert lines[0] == "line 0"
            assert len(first_life) < 10_000
            assert len(first_life) + sum(dropped for _, dropped in first_life) == 200_002

    asyncio.run(story())


def test_everything_is_put_back_when_the_table_stops(host: MakeHost) -> None:
    before = (signal.getsignal(signal.SIGCHLD), {stat.pid for stat in procfs.children(os.getpid())}, open_fds())

    async def story() -> None:
        async with host() as h:
            await h.worker("ycsb", "parent")
            await h.worker("monitor", "steady")
            await h.table.launch("valkey-0", ["sleep", "60"])

    asyncio.run(story())
    after = (signal.getsignal(signal.SIGCHLD), {stat.pid for stat in procfs.children(os.getpid())}, open_fds())
    assert after == before


def open_fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
