"""Commands beside a container: what the docker command line is asked for, and what its answers come to."""

import os
from pathlib import Path

import pytest

from operator_protocol.errors import Unavailable
from operatord.workers.docker import helpers
from operatord.workers.docker.helpers import Helper

SAYS_WHAT_IT_IS_ASKED = """\
#!/bin/sh
echo "$@" >> {log}
{then}
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "asked"


def docker(tmp_path: Path, log: Path, then: str = "exit 0") -> list[str]:
    """A command line that notes what it is asked for."""
    program = tmp_path / "docker"
    program.write_text(SAYS_WHAT_IT_IS_ASKED.format(log=log, then=then))
    program.chmod(0o700)
    return [str(program)]


def test_a_helper_has_the_network_of_its_target_and_no_more_rights_than_shaping_takes(
    tmp_path: Path, log: Path
) -> None:
    done = helpers.run(docker(tmp_path, log, "echo said"), "p", Helper("tools:1", ["tc", "qdisc"], "p-tikv1-1"))
    assert (done.code, done.output) == (0, "said\n")
    asked = log.read_text()
    for words in (
        "run --rm --pull never",
        "--label operatord.helper=p",
        "--cap-drop ALL",
        "--network container:p-tikv1-1 --cap-add NET_ADMIN",
        "--entrypoint tc tools:1 qdisc",
    ):
        assert words in asked
    assert "volumes-from" not in asked
    assert "privileged " not in asked


def test_a_helper_on_volumes_has_no_network(tmp_path: Path, log: Path) -> None:
    helpers.run(docker(tmp_path, log), "p", Helper("tools:1", ["df"], volumes_of="p-tikv1-1"))
    assert "--network none" in log.read_text()
    assert "--volumes-from p-tikv1-1" in log.read_text()
    assert "NET_ADMIN" not in log.read_text()


def test_a_command_that_fails_is_no_error_and_its_words_are_kept(tmp_path: Path, log: Path) -> None:
    done = helpers.run(docker(tmp_path, log, "echo no such queue >&2; exit 2"), "p", Helper("tools:1", ["tc"]))
    assert (done.code, done.error) == (2, "no such queue\n")


@pytest.mark.parametrize(
    ("then", "told"),
    [
        ("echo 'docker: Error response from daemon: No such image: tools:1' >&2; exit 125", "no image tools:1"),
        ("exit 127", "tools:1 has no tc"),
        ("echo 'Cannot connect to the Docker daemon at unix:///x.' >&2; exit 125", "Cannot connect"),
    ],
)
def test_what_keeps_a_helper_from_running_is_said_with_what_to_do(
    tmp_path: Path, log: Path, then: str, told: str
) -> None:
    with pytest.raises(Unavailable, match=told) as caught:
        helpers.run(docker(tmp_path, log, then), "p", Helper("tools:1", ["tc"]))
    assert caught.value.hint


def test_without_an_image_or_a_command_line_it_is_refused() -> None:
    with pytest.raises(Unavailable, match="no image"):
        helpers.run(["docker"], "p", Helper("", ["tc"]))
    with pytest.raises(Unavailable, match="not installed"):
        helpers.run([f"/nowhere/{os.getpid()}"], "p", Helper("tools:1", ["tc"]))


def test_only_those_that_do_not_run_are_removed_while_faults_are_in_force(tmp_path: Path, log: Path) -> None:
    line = docker(tmp_path, log, 'case "$1" in ps) echo one; echo two;; esac')
    assert helpers.remove(line, "p", idle=True) == ["one", "two"]
    assert helpers.left(line, "p") == ["one", "two"]
    first, second, third = log.read_text().splitlines()
    assert "label=operatord.helper=p" in first
    assert "status=exited" in first
    assert second == "rm --force one two"
    assert "status=" not in third


def test_an_engine_that_does_not_answer_does_not_mean_that_no_helper_is_left(tmp_path: Path, log: Path) -> None:
    gone = docker(tmp_path, log, "echo 'Cannot connect to the Docker daemon at unix:///x.' >&2; exit 1")
    for look in (helpers.left, helpers.remove):
        with pytest.raises(Unavailable, match="Cannot connect"):
            look(gone, "p")
