"""What goes wrong around the subject: one clear line each, and a daemon that stays up and calls the cluster unknown."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.e2e.real_daemon import BIN, RealDaemon, run, until
from tests.e2e.tikv.tikv_daemon import SETTLED_S, TiKVDaemon, leaving_nothing, settle
from tests.standins.engine import Engine, MortalEngine, engine_of_its_own
from tests.standins.images import COMPOSE_FILE
from tests.standins.serving import ask

from operatord.faults.undo_journal import read_owed
from operatord.subjects.tikv import project as projects

NOWHERE = "unix:///nowhere/docker.sock"


@pytest.fixture
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    daemon = RealDaemon(tmp_path_factory.mktemp("d"))
    yield daemon
    daemon.end()


@pytest.fixture
def contained(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TiKVDaemon]:
    daemon = TiKVDaemon(tmp_path_factory.mktemp("d"), docker_engine)
    yield daemon
    daemon.end()


def reason_of(daemon: RealDaemon) -> str:
    """Of a daemon that is up and knows nothing of its cluster."""
    health = daemon.status()["health"]
    assert health["ok"] is None
    assert health["nodes"] == []
    return str(health["reason"])


def failed(daemon: RealDaemon, *options: str) -> str:
    """What the start said; the daemon is up."""
    done = daemon.start(*options, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if "the cluster was not started" in line]
    assert len(lines) == 1, done.stderr
    assert "operatorctl restart cluster" in done.stderr
    assert "running behind" in done.stderr
    return done.stderr


def test_without_an_engine_the_daemon_is_up_and_the_cluster_unknown_until_it_can_be_started(
    daemon: RealDaemon, docker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    assert "start the engine" in failed(daemon, "--subject", "tikv")
    assert "Cannot connect to the Docker daemon" in reason_of(daemon)
    said = daemon.operatord("status").stdout
    assert "subject tikv: unknown (it was not started:" in said
    daemon.ctl("wait", "cluster.health", "--where", "ok=null", "--timeout", "10", check=True)
    for words in (["fault", "kill", "--countdown", "0"], ["workload", "start"], ["restart", "cluster"]):
        refused = daemon.ctl(*words)
        assert refused.returncode == 1
        assert "Cannot connect to the Docker daemon" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    assert not (daemon.state_dir / projects.DIRECTORY / projects.FILE).exists()
    daemon.stop()


@pytest.mark.soak
def test_a_headless_story_without_an_engine_ends_with_an_error(
    tmp_path: Path, docker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    words = [str(BIN / "operatord"), "demo", "--headless", "--subject", "tikv", "--state-dir", str(tmp_path / "s")]
    done = run(words, check=False)
    assert done.returncode == 1
    assert '"ok": false' in done.stdout
    assert "start the engine" in done.stdout


def test_without_the_compose_plugin_the_start_says_what_to_install_and_creates_nothing(
    daemon: RealDaemon, docker_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    if run(["docker", "compose", "version"], check=False).returncode == 0:
        pytest.skip("the compose plugin is installed for the whole system here")
    assert "install the compose plugin of Docker" in failed(daemon, "--subject", "tikv")
    assert not (daemon.state_dir / projects.DIRECTORY / projects.FILE).exists()
    daemon.stop()


def test_a_wrong_pd_is_unknown_with_its_address_and_faults_on_it_are_refused(daemon: RealDaemon) -> None:
    started = daemon.start("--pd", "http://127.0.0.1:1")
    assert "the cluster does not answer yet" in started.stderr
    until(lambda: daemon.status()["health"], "a look")
    health = daemon.status()["health"]
    assert health["ok"] is None
    assert "127.0.0.1:1" in health["reason"]
    refused = daemon.ctl("fault", "kill", "--target", "tikv9", "--countdown", "0")
    assert refused.returncode == 1
    assert "not known" in refused.stderr
    daemon.stop()


@pytest.mark.soak
def test_an_image_that_is_missing_is_named_and_a_start_after_it_was_mended_succeeds(contained: TiKVDaemon) -> None:
    directory = contained.config.parent / "compose"
    directory.mkdir()
    for one in COMPOSE_FILE.parent.iterdir():
        (directory / one.name).symlink_to(one)
    file = directory / COMPOSE_FILE.name
    file.unlink()
    file.write_text(COMPOSE_FILE.read_text().replace("image: pingcap/tikv:", "image: operatord/missing:"))
    contained.config.write_text(contained.config.read_text() + f'compose_file = "{file}"\n')
    with leaving_nothing(contained):
        said = failed(contained, "--subject", "tikv", "--config", str(contained.config))
        assert "the image is not there and cannot be fetched" in said
        assert "operatord/missing" in reason_of(contained)
        assert not (contained.state_dir / projects.DIRECTORY / projects.FILE).exists()
        file.write_text(COMPOSE_FILE.read_text())
        contained.ctl("restart", "cluster", check=True)
        until(contained.is_well, "a cluster that is well", SETTLED_S)
        unknown = contained.ctl("fault", "kill", "--target", "tikv9", "--countdown", "0")
        assert "tikv9" in unknown.stderr
        assert "tikv0, tikv1, tikv2" in unknown.stderr
        again = contained.ctl("restart", "cluster")
        assert "the cluster is up" in again.stderr
        contained.stop()


@pytest.mark.soak
def test_a_port_that_is_taken_is_named_and_what_was_created_is_taken_down(contained: TiKVDaemon) -> None:
    base = projects.free_ports(1)[0]
    contained.config.write_text(contained.config.read_text() + f"base_port = {base}\n")
    with leaving_nothing(contained):
        with closing(socket.create_server(("127.0.0.1", base))):
            said = failed(contained, "--subject", "tikv", "--config", str(contained.config))
        assert str(base) in said
        assert "another program has that port" in said
        assert str(base) in reason_of(contained)
        contained.stop()


@pytest.fixture
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TiKVDaemon, MortalEngine]]:
    """A daemon on an engine of its own, with containers that outlive it."""
    with engine_of_its_own(tmp_path_factory.mktemp("e") / "e", "--live-restore") as engine:
        daemon = TiKVDaemon(tmp_path_factory.mktemp("d"), engine)
        daemon.config.write_text(daemon.config.read_text().replace("deadline_s = 60.0", "deadline_s = 15.0"))
        daemon.start_tikv()
        until(daemon.is_well, "a cluster that is well", SETTLED_S)
        yield daemon, engine
        engine.start()
        daemon.end()


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_an_engine_that_dies_makes_nothing_down_and_what_is_owed_is_undone_when_it_is_back(
    mortal: tuple[TiKVDaemon, MortalEngine],
) -> None:
    daemon, engine = mortal
    owed = daemon.inject("pause", "tikv1")["id"]
    until(lambda: daemon.node("tikv1")["state"] == "down", "tikv1 to be down")
    engine.kill()
    until(lambda: "engine_lost None" in daemon.open_now(), "the engine to be missed", SETTLED_S)
    status = daemon.status()
    assert status["health"]["ok"] is None
    assert {one["signals"]["container"] for one in status["health"]["nodes"]} == {"unknown"}
    assert not {one["id"] for one in status["health"]["nodes"] if one["state"] in ("up", "down")}
    assert "store_down tikv0" not in daemon.open_now()
    refused = daemon.ctl("recover")
    assert refused.returncode == 4, refused.stderr
    assert "is not undone" in refused.stderr
    assert [one["id"] for one in daemon.status()["faults"]] == [owed]
    assert len(read_owed(daemon.state_dir / "undo.journal")) == 1
    engine.start()
    until(lambda: not daemon.status()["faults"], "what was owed to be undone", SETTLED_S)
    until(daemon.is_well, "a cluster that is well", SETTLED_S)
    assert {one["signals"]["container"] for one in daemon.status()["health"]["nodes"]} == {"up"}
    assert daemon.container("tikv1")["State"]["Status"] == "running"


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_containers_that_die_with_their_engine_are_down_when_it_is_back_and_are_started_one_by_one(
    mortal: tuple[TiKVDaemon, MortalEngine],
) -> None:
    daemon, engine = mortal
    pids = {node: daemon.container(node)["State"]["Pid"] for node in projects.NODES}
    engine.kill()
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    until(lambda: "engine_lost None" in daemon.open_now(), "the engine to be missed", SETTLED_S)
    assert not [one for one in daemon.status()["health"]["nodes"] if one["state"] == "up"]
    engine.start()
    until(lambda: daemon.node("tikv1")["signals"]["container"] == "down", "the engine to tell", SETTLED_S)
    for node in projects.NODES:
        daemon.ctl("restart", node, check=True)
    until(daemon.is_well, "a cluster that is well", SETTLED_S)
    daemon.stop()


@pytest.fixture(scope="module")
def running(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TiKVDaemon]:
    """One cluster for the tests that leave it as it was; its volumes have a size of their own."""
    directory = tmp_path_factory.mktemp("d")
    daemon = TiKVDaemon(directory, docker_engine)
    sized = directory / "compose"
    sized.mkdir()
    for one in COMPOSE_FILE.parent.iterdir():
        (sized / one.name).symlink_to(one)
    file = sized / COMPOSE_FILE.name
    file.unlink()
    options = "driver_opts: {type: tmpfs, device: tmpfs, o: size=64m}"
    file.write_text(COMPOSE_FILE.read_text().replace("  tikv1-data:\n", f"  tikv1-data: {{{options}}}\n"))
    assert options in file.read_text()
    daemon.config.write_text(
        daemon.config.read_text() + f'compose_file = "{file}"\nhelper_image = "pingcap/tikv:v8.5.5"\n'
    )
    try:
        with leaving_nothing(daemon):
            daemon.start_tikv()
            yield daemon
            daemon.stop()
    finally:
        daemon.end()


@pytest.fixture
def well(running: TiKVDaemon) -> TiKVDaemon:
    return settle(running)


def inside(daemon: TiKVDaemon, node: str, *words: str) -> str:
    return daemon.engine.docker("exec", daemon.container(node)["Id"], *words)


def helpers(daemon: TiKVDaemon) -> list[str]:
    return daemon.engine.docker("ps", "--all", "--quiet", "--filter", "label=operatord.helper").split()


@pytest.mark.soak
def test_a_container_that_somebody_unpauses_by_hand_is_owed_no_more(well: TiKVDaemon) -> None:
    well.inject("pause", "tikv2")
    until(lambda: well.node("tikv2")["state"] == "down", "tikv2 to be down")
    well.engine.docker("unpause", well.container("tikv2")["Id"])
    until(lambda: not well.status()["faults"], "the fault to be struck out", SETTLED_S)
    assert read_owed(well.state_dir / "undo.journal") == []


@pytest.mark.soak
def test_a_store_that_somebody_resumes_by_hand_is_owed_no_more(well: TiKVDaemon) -> None:
    well.inject("grpc-pause", "tikv0")
    until(lambda: well.node("tikv0")["state"] == "degraded", "tikv0 to serve nobody")
    place = next(one for one in well.project.members if one.id == "tikv0")
    assert ask("PUT", f"http://{place.host}:{place.port}/resume_grpc", timeout_s=5.0)[0] == 200
    until(lambda: not well.status()["faults"], "the fault to be struck out", SETTLED_S)


def shape_of(daemon: TiKVDaemon, node: str) -> str:
    """Queue and rules of a container's network, as its own tools show them to somebody with the right to look."""
    words = ["run", "--rm", "--cap-add", "NET_ADMIN", "--network", f"container:{daemon.container(node)['Id']}"]
    look = "tc qdisc show dev eth0; nft list ruleset"
    return daemon.engine.docker(*words, "--entrypoint", "sh", "pingcap/tikv:v8.5.5", "-c", look)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("kind", "options", "trace"),
    [
        ("bandwidth", ("--set", "rate=64KiB"), "qdisc tbf 6f62: root"),
        ("loss", ("--set", "percent=5%"), "numgen random mod 10000 < 500 counter"),
    ],
)
def test_a_shaped_network_is_shaped_and_plain_again_and_no_helper_is_left(
    well: TiKVDaemon, kind: str, options: tuple[str, ...], trace: str
) -> None:
    well.inject(kind, "tikv1", *options, "--force")
    assert trace in shape_of(well, "tikv1")
    assert helpers(well) == []
    well.ctl("recover", check=True)
    assert trace not in shape_of(well, "tikv1")
    assert helpers(well) == []
    # One that ended takes the shape of its network along.
    well.inject(kind, "tikv1", *options, "--force")
    well.engine.docker("kill", well.container("tikv1")["Id"])
    well.ctl("recover", check=True)
    assert trace not in shape_of(well, "tikv1")
    assert well.container("tikv1")["State"]["Status"] == "running"


@pytest.mark.soak
def test_what_a_kernel_or_an_image_lacks_is_refused_with_the_reason_and_nothing_owed(well: TiKVDaemon) -> None:
    refused = well.ctl("fault", "latency", "--target", "tikv1", "--countdown", "0")
    if refused.returncode == 0:
        assert "netem" in inside(well, "tikv1", "tc", "qdisc", "show", "dev", "eth0")
        well.ctl("recover", check=True)
        return
    assert "netem" in refused.stderr
    assert well.status()["faults"] == []
    assert helpers(well) == []


@pytest.mark.soak
def test_a_disk_is_filled_within_its_own_volume_and_refused_where_that_has_no_size(well: TiKVDaemon) -> None:
    refused = well.ctl("fault", "disk", "--target", "tikv0", "--countdown", "0", "--set", "size=1MiB")
    assert "no quota" in refused.stderr
    too_much = well.ctl("fault", "disk", "--target", "tikv1", "--countdown", "0", "--set", "size=63MiB")
    assert "too much" in too_much.stderr
    well.inject("disk", "tikv1", "--set", "size=55MiB", "--force")
    assert "operatord-fill-" in inside(well, "tikv1", "ls", "/data")
    until(lambda: "low_space tikv1" in well.open_now(), "the violation", SETTLED_S)
    well.ctl("recover", check=True)
    assert "operatord-fill-" not in inside(well, "tikv1", "ls", "/data")
    assert helpers(well) == []
    until(well.is_well, "a cluster that is well", SETTLED_S)
