"""What starts after what: by readiness, as the journal of the start shows."""

from operator_protocol.journal import read_journal

from .real_daemon import RealDaemon, until


def test_the_agent_waits_for_the_first_look_and_the_load_for_a_healthy_cluster(stopped_daemon: RealDaemon) -> None:
    stopped_daemon.start("--load")
    with stopped_daemon.follower() as follower:
        until(lambda: follower.poll(0.1) and follower.state.workload, "a sample of the load")
    seen: dict[str, int] = {}
    for number, frame in enumerate(read_journal(stopped_daemon.state_dir / "journal")):
        what = frame.topic
        if what.endswith(".state"):
            what = f"{what} {frame.body['state']}"
        elif what == "cluster.health":
            seen.setdefault(what, number)
            what = f"{what} {frame.body['ok']}"
        seen.setdefault(what, number)
    assert seen["process.monitor.state ready"] < seen["process.agent.state starting"]
    assert seen["cluster.health"] < seen["process.agent.state starting"]
    assert seen["cluster.health True"] < seen["workload.sample"]
