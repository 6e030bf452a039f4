"""What ``operatord doctor --subject tikv`` finds, with programs of the tests' in place of the docker command line."""

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from operatord.cli.doctor_tikv import examine
from operatord.cli.findings import Finding
from operatord.config import Config

Docker = Callable[[str], None]

WELL = """\
version) echo '{"Version":"28.3.0","ApiVersion":"1.51","MinAPIVersion":"1.24"}' ;;
"compose version") echo 2.38.1 ;;
"compose --file") printf 'pingcap/pd:v8.5.5\\npingcap/tikv:v8.5.5\\npingcap/tikv:v8.5.5\\n' ;;
"image ls") printf 'pingcap/pd:v8.5.5\\npingcap/tikv:v8.5.5\\nother:1\\n' ;;
info) echo / ;;
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """Puts a program in the place of docker, with these answers by its first words."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    shell = shutil.which("sh", path="/usr/bin:/bin")

    def put(answers: str) -> None:
        script = f'#!{shell}\ncase "$1" in version|info) words=$1 ;; *) words="$1 $2" ;; esac\ncase "$words" in\n'
        program = directory / "docker"
        program.write_text(f'{script}{answers}*) echo "no such command: $words" >&2; exit 1 ;;\nesac\n')
        program.chmod(0o755)

    return put


def found(tmp_path: Path, **options: object) -> dict[str, Finding]:
    config = Config.model_validate({"subject": {"tikv": options}})
    return {one.what: one for one in examine(config, tmp_path / "state")}


def test_a_host_with_all_of_it_is_fit(docker: Docker, tmp_path: Path) -> None:
    docker(WELL)
    findings = found(tmp_path)
    assert {name: one.verdict for name, one in findings.items() if name != "docker disk"} == dict.fromkeys(
        ("docker engine", "docker compose", "container ports", "container network", "images", "helper image"), "ok"
    )
    assert findings["docker engine"].detail == "engine 28.3.0, API 1.51"
    assert findings["docker compose"].detail == "version 2.38.1"
    assert "GiB free at /" in findings["docker disk"].detail


def test_without_docker_it_says_what_to_install(docker: Docker, tmp_path: Path) -> None:
    (finding,) = found(tmp_path).values()
    assert (finding.verdict, finding.detail) == ("failed", "docker is not installed")
    assert "install Docker Engine and its compose plugin" in finding.hint


@pytest.mark.parametrize(
    ("line", "what", "said"),
    [
        (
            'version) echo "Cannot connect to the Docker daemon at unix:///x. Is it running?" >&2; exit 1 ;;',
            "docker engine",
            ("Cannot connect", "start the engine"),
        ),
        (
            'version) echo "permission denied while trying to connect to the Docker daemon socket" >&2; exit 1 ;;',
            "docker engine",
            ("permission denied", "join the group docker"),
        ),
        (
            """version) echo '{"Version":"18.09.1","ApiVersion":"1.39"}' ;;""",
            "docker engine",
            ("older than 1.40", "newer Docker Engine"),
        ),
        ('"compose version") exit 1 ;;', "docker compose", ("does not answer", "install the compose plugin")),
        ('"compose version") echo 1.29.2 ;;', "docker compose", ("1.29.2 is older", "install the compose plugin")),
    ],
)
def test_what_is_missing_of_docker_is_said_with_what_to_do(
    docker: Docker, tmp_path: Path, line: str, what: str, said: tuple[str, str]
) -> None:
    detail, hint = said
    docker(f"{line}\n{WELL}")
    finding = found(tmp_path)[what]
    assert finding.verdict == "failed"
    assert detail in finding.detail
    assert hint in finding.hint


def test_images_that_are_not_there_are_named(docker: Docker, tmp_path: Path) -> None:
    docker('"image ls") echo other:1 ;;\n' + WELL)
    finding = found(tmp_path)["images"]
    assert finding.verdict == "warning"
    assert "2 of 2 are not there yet: pingcap/pd:v8.5.5, pingcap/tikv:v8.5.5" in finding.detail
    assert "operatord start --subject tikv" in finding.hint


def test_faults_that_lack_their_helper_image_are_named_before_they_are_refused(docker: Docker, tmp_path: Path) -> None:
    docker('"image ls") [ "$3" = --quiet ] || printf "pingcap/pd:v8.5.5\\npingcap/tikv:v8.5.5\\n" ;;\n' + WELL)
    findings = found(tmp_path)
    assert findings["images"].verdict == "ok"
    assert findings["helper image"].verdict == "warning"
    assert "latency, bandwidth, loss and disk will be refused" in findings["helper image"].detail
    assert "docker pull nicolaka/netshoot" in findings["helper image"].hint
    assert found(tmp_path, helper_image="")["helper image"].verdict == "ok"


def test_without_the_compose_plugin_the_compose_file_is_not_read(docker: Docker, tmp_path: Path) -> None:
    docker('"compose version") exit 1 ;;\n' + WELL)
    findings = found(tmp_path)
    assert findings["docker compose"].verdict == "failed"
    assert "images" not in findings


def test_a_port_that_is_taken_is_named(docker: Docker, tmp_path: Path) -> None:
    docker(WELL)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finding = found(tmp_path, base_port=min(port, 65_525))["container ports"]
    assert finding.verdict == "failed"
    assert str(port) in finding.detail


def test_of_an_attached_cluster_nothing_is_asked_of_docker(docker: Docker, tmp_path: Path) -> None:
    findings = found(tmp_path, pd="http://127.0.0.1:1", allow_load_on="7")
    assert findings["attached cluster"].verdict == "warning"
    assert "does not answer yet: no PD answers: connection refused" in findings["attached cluster"].detail
    assert "go-ycsb is not on the PATH" in findings["load"].detail
    (finding,) = found(tmp_path, pd="https://127.0.0.1:1", tls_ca="nowhere.pem").values()
    assert "cannot use the CA file nowhere.pem" in finding.detail


def test_another_program_of_that_name_and_a_damaged_record_are_findings_and_no_defects(
    docker: Docker, tmp_path: Path
) -> None:
    docker(f"version) echo null ;;\n{WELL}")
    (tmp_path / "state" / "tikv").mkdir(parents=True)
    (tmp_path / "state" / "tikv" / "project.json").write_text("{")
    findings = found(tmp_path, base_port=21_000)
    assert "tells of no engine" in findings["docker engine"].detail
    assert "cannot read" in findings["container ports"].detail
    assert {findings[name].verdict for name in ("docker engine", "container ports")} == {"failed"}
