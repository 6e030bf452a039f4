"""What compose 5 says while it brings two containers up, and what of it a person is told."""

from operatord.workers.docker.progress import UpProgress

SAID = """\
Image pingcap/pd:v8.5.5 Pulling
3b65ec22a9e9 Pulling fs layer
3b65ec22a9e9 Downloading [==>    ]  1.2MB/29MB
Image pingcap/pd:v8.5.5 Pulled
Network one_cluster Creating
Network one_cluster Creating
Volume one_pd0-data Creating
Volume one_pd0-data Created
Network one_cluster Created
Container one-pd0-1 Creating
Container one-tikv0-1 Creating
Container one-pd0-1 Created
Container one-tikv0-1 Created
Container one-pd0-1 Starting
Container one-pd0-1 Started
Container one-pd0-1 Waiting
Container one-pd0-1 Waiting
Container one-pd0-1 Healthy
Container one-pd0-1 Healthy
Container one-tikv0-1 Starting
Container one-tikv0-1 Started
Container one-tikv0-1 Waiting
Container one-pd0-1 Healthy
Container one-tikv0-1 Healthy
"""


def test_of_all_that_compose_says_the_stages_and_the_health_of_each_container_remain() -> None:
    progress = UpProgress("one", ["pd0", "tikv0"])
    told = [line for said in SAID.splitlines() if (line := progress.take(said)) is not None]
    assert told == [
        "fetching pingcap/pd:v8.5.5",
        "fetched pingcap/pd:v8.5.5",
        "creating network, volumes and containers",
        "starting containers",
        "waiting until they are healthy",
        "pd0 is healthy (1 of 2)",
        "tikv0 is healthy (2 of 2)",
    ]


def test_what_is_no_progress_passes_as_it_is() -> None:
    progress = UpProgress("one", [])
    for line in (
        "Container one-tikv0-1 Error",
        "dependency failed to start: container one-pd0-1 is unhealthy",
        "#7 DONE",
    ):
        assert progress.take(line) == line
    assert progress.take("  ") is None


def test_a_service_that_was_not_asked_for_is_counted_for_itself() -> None:
    progress = UpProgress("one", ["grafana"])
    assert progress.take("Container one-prometheus-1 Healthy") == "prometheus is healthy (1)"
    assert progress.take("Container one-grafana-1 Healthy") == "grafana is healthy (1 of 1)"
