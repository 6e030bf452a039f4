"""What a killed daemon leaves on record, and what its successor makes of it."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from operatord import procfs
from operatord.processes.detached import DetachedServers
from operatord.processes.records import ServerRecord, ServerRecords, end_leftovers
from operatord.processes.spawn import spawn
from operatord.procfs import ProcessId

HERE = Path(__file__).parent


def killed_daemon(state_dir: Path, mode: str) -> tuple[list[ProcessId], list[ProcessId]]:
    """Start ``process_daemon.py`` and kill it: (its server, worker and fork server; the worker's children)."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "process_daemon.py"), str(state_dir), mode], stdout=subprocess.PIPE, text=True
    ) as daemon:
        assert daemon.stdout is not None
        stats = [procfs.read_stat(int(pid)) for pid in daemon.stdout.readline().split()]
        daemon.kill()
    ids = [stat.id for stat in stats if stat is not None]
    assert len(ids) == 5
    return ids[:3], ids[3:]


def ends(process: ProcessId) -> bool:
    """True once it has ended; waits for that, within reason."""
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        return not procfs.is_alive(process) or bool(select.select([pidfd], [], [], 60)[0])
    finally:
        os.close(pidfd)


def test_workers_and_servers_die_with_a_killed_daemon_and_the_next_one_ends_the_rest(tmp_path: Path) -> None:
    own, grandchildren = killed_daemon(tmp_path, "plain")
    assert all(ends(process) for process in own)
    assert all(procfs.is_alive(process) for process in grandchildren)
    records = ServerRecords(tmp_path / "servers.json")
    assert len(records.runs) == 1
    asyncio.run(end_leftovers(records))
    assert all(ends(process) for process in grandchildren)
    after = ServerRecords(tmp_path / "servers.json")
    assert (after.all(), after.runs) == ([], [])


def test_kept_servers_survive_a_killed_daemon_and_the_clean_up_of_the_next(tmp_path: Path) -> None:
    (server, *mortal), grandchildren = killed_daemon(tmp_path, "keep")
    assert all(ends(process) for process in mortal)
    records = ServerRecords(tmp_path / "servers.json")
    asyncio.run(end_leftovers(records, keep_servers=True))
    assert all(ends(process) for process in grandchildren)
    assert procfs.is_alive(server)
    assert records.living_servers() == {server}

    async def without_keeping() -> None:
        ended = await end_leftovers(records)
        assert [record.name for record in ended] == ["valkey-0"]

    asyncio.run(without_keeping())
    assert not procfs.is_alive(server)


def test_a_process_that_only_has_the_pid_of_a_recorded_one_is_not_touched(tmp_path: Path) -> None:
    bystander = spawn(["sleep", "60"], output="discard")
    try:
        records = ServerRecords(tmp_path / "servers.json")
        records.add(ServerRecord("valkey-0", bystander.pid, bystander.id.start_time - 1))
        assert records.living_servers() == set()
        assert asyncio.run(end_leftovers(records)) == []
        assert procfs.is_alive(bystander.id)
        assert records.all() == []

        async def detached() -> None:
            records.add(ServerRecord("valkey-0", bystander.pid, bystander.id.start_time - 1))
            servers = DetachedServers(records)
            assert servers.pid("valkey-0") is None
            await servers.terminate("valkey-0")

        asyncio.run(detached())
        assert procfs.is_alive(bystander.id)
    finally:
        os.kill(bystander.pid, signal.SIGKILL)
        os.waitid(os.P_PID, bystander.pid, os.WEXITED)
        bystander.settle()


def test_records_survive_and_are_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "servers.json"
    records = ServerRecords(path)
    records.add(ServerRecord("valkey-0", 1234, 5678, ["valkey-server", "--port", "7000"], "/somewhere"))
    records.add(ServerRecord("monitor", 1235, 5679, kind="worker"))
    records.flush()
    again = ServerRecords(path)
    assert again.all() == records.all()
    assert [record.name for record in again.servers()] == ["valkey-0"]
    again.remove("valkey-0")
    again.remove("valkey-0")
    assert [record.name for record in ServerRecords(path).all()] == ["monitor"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["servers.json"]


def test_records_of_an_earlier_boot_are_void(tmp_path: Path) -> None:
    path = tmp_path / "servers.json"
    ServerRecords(path).add(ServerRecord("valkey-0", os.getpid(), procfs.start_time(os.getpid()) or 0))
    content = json.loads(path.read_text())
    content["boot_id"] = "another"
    path.write_text(json.dumps(content))
    assert ServerRecords(path).all() == []


def test_a_record_that_makes_no_sense_is_moved_aside_and_said_so(tmp_path: Path) -> None:
    for number, text in enumerate(["{", "[]", '{"boot_id": 1}', "\0\0", '{"processes": 3}']):
        path = tmp_path / f"{number}.json"
        path.write_text(text)
        records = ServerRecords(path)
        assert records.all() == []
        if "boot_id" in text:
            continue
        assert records.notice is not None
        assert str(path) in records.notice
        (aside,) = tmp_path.glob(f"{number}.json.corrupt-*")
        assert aside.read_text() == text


def test_supervision_goes_on_when_records_cannot_be_written(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    directory.mkdir()
    records = ServerRecords(directory / "servers.json")
    directory.rmdir()
    records.add(ServerRecord("valkey-0", 1234, 5678))
    assert records.notice is not None
    assert "cannot write" in records.notice


def test_detached_servers_outlive_who_started_them_and_are_known_by_the_records(tmp_path: Path) -> None:
    path = tmp_path / "servers.json"
    script = (
        "import asyncio, sys; from pathlib import Path;"
        "from operatord.processes.detached import DetachedServers;"
        "from operatord.processes.records import ServerRecords;"
        "servers = DetachedServers(ServerRecords(Path(sys.argv[1])));"
        "print(asyncio.run(servers.launch('valkey-0', ['sleep', '60'])))"
    )
    made = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert made.stderr == ""
    pid = int(made.stdout)

    async def story() -> None:
        servers = DetachedServers(ServerRecords(path))
        assert servers.pid("valkey-0") == pid
        assert servers.start_time("valkey-0") == procfs.start_time(pid)
        servers.signal("valkey-0", signal.SIGSTOP)
        await servers.terminate("valkey-0")
        assert servers.pid("valkey-0") is None
        # What it starts itself is its child, and is reaped while it is being ended.
        again = await servers.launch("valkey-1", ["sleep", "60"])
        await servers.terminate("valkey-1")
        assert procfs.read_stat(again) is None
        await servers.terminate("nobody")

    asyncio.run(story())
    assert ServerRecords(path).all() == []
