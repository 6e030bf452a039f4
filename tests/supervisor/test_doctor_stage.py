"""A presenter's checklist, ``operatord doctor --stage``: each line says ok, warn or bad, and what to do."""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clients.viewer.terminal import Terminal

from operatord.cli.doctor_stage import examine_stage, ghosts, memory, processor, story
from operatord.cli.findings import Finding
from operatord.cli.terminal import characters, colours
from operatord.config import Config
from operatord.leftovers import MARKER

GIB = 1 << 30
OPERATORD = str(Path(sys.executable).parent / "operatord")


def options(**more: object) -> argparse.Namespace:
    return argparse.Namespace(**{"subject": None, "chapters": None, **more})


def config(**sections: object) -> Config:
    return Config.model_validate(sections)


@pytest.fixture
def opened() -> Iterator[list[Terminal]]:
    """Terminals that are closed at the end."""
    terminals: list[Terminal] = []
    yield terminals
    for one in terminals:
        one.close()


def checked(opened: list[Terminal], tmp_path: Path, width: int, height: int, **env: str) -> str:
    """What the checklist prints in a terminal of this size, which says where its cursor is when it is asked."""
    words = [OPERATORD, "doctor", "--stage", "--state-dir", str(tmp_path / "s"), "--runtime-dir", str(tmp_path / "r")]
    one = Terminal(words, width=width, height=height, env={"XDG_CONFIG_HOME": str(tmp_path), **env})
    opened.append(one)
    one._screen.write_process_input = one.press  # type: ignore[method-assign, assignment]  # pyte calls it with answers
    one.until(lambda _: b"looked at:" in one.received)
    return one.received.decode()


def test_in_a_good_terminal_size_colours_characters_and_widths_are_ok(opened: list[Terminal], tmp_path: Path) -> None:
    printed = checked(opened, tmp_path, 130, 60)
    for name in ("size", "colours", "characters", "widths", "story"):
        assert f"ok   {name}: " in printed
    assert "glyphs take the cells that the viewer reckons with" in printed
    assert "size: 130 x 60" in printed


def test_a_terminal_that_is_too_small_is_bad_and_its_modes_are_restored(opened: list[Terminal], tmp_path: Path) -> None:
    printed = checked(opened, tmp_path, 79, 50, COLUMNS="200")
    assert "bad  size: 79 x 50" in printed
    assert "warn size fixed: COLUMNS set" in printed
    assert "unset COLUMNS" in printed
    assert opened[0].ended() == 1
    assert opened[0].modes() == opened[0].modes_before


@pytest.mark.parametrize(
    ("environ", "verdict", "told"),
    [
        ({}, "failed", "TERM is not set"),
        ({"TERM": "dumb"}, "failed", "TERM is dumb"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "warning", "NO_COLOR"),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "ok", "16 million"),
        ({"TERM": "no-such-terminal"}, "warning", "not described"),
    ],
)
def test_colours(environ: dict[str, str], verdict: str, told: str) -> None:
    found = colours(environ)
    assert (found.verdict, told in found.detail) == (verdict, True)
    assert found.hint or verdict == "ok"


@pytest.mark.parametrize(
    ("environ", "encoding", "verdict"),
    [
        ({"LANG": "C.UTF-8"}, "utf-8", "ok"),
        ({}, "UTF-8", "ok"),
        ({"LC_ALL": "C", "LANG": "en_US.UTF-8"}, "utf-8", "warning"),
        ({"LANG": "de_DE.ISO-8859-1"}, "iso8859-1", "failed"),
    ],
)
def test_characters(environ: dict[str, str], encoding: str, verdict: str) -> None:
    assert characters(environ, encoding).verdict == verdict


@pytest.mark.parametrize(
    ("subject", "available", "verdict"),
    [
        ("valkey", GIB // 4, "failed"),
        ("valkey", 3 * GIB // 4, "warning"),
        ("valkey", GIB, "ok"),
        ("tikv", GIB, "failed"),
    ],
)
def test_memory(subject: str, available: int, verdict: str) -> None:
    assert memory(subject, available).verdict == verdict


@pytest.mark.parametrize(
    ("load", "now", "verdict"), [(0.1, 10, "ok"), (0.7, 10, "warning"), (0.1, 70, "warning"), (1.5, 10, "failed")]
)
def test_a_host_that_is_busy_is_named_with_what_keeps_it_so(load: float, now: float, verdict: str) -> None:
    found = processor(load, now, 4, "make, pid 7")
    assert found.verdict == verdict
    assert ("make, pid 7" in found.hint) is (verdict != "ok")


def test_a_story_that_cannot_be_told_is_bad_with_its_line(tmp_path: Path) -> None:
    assert story(options(), config()).detail == "8 chapters of the built-in story, in en"
    assert story(options(chapters="two-acts"), config()).verdict == "ok"
    file = tmp_path / "x.toml"
    file.write_text('title = "x"\n[[chapter]]\nnonsense = 1\n')
    found = story(options(chapters=str(file)), config())
    assert found.verdict == "failed"
    assert f"{file}:3: chapter[1].nonsense" in found.detail
    assert story(options(), config(demo={"language": "xx"})).verdict == "failed"


def test_a_process_of_an_earlier_run_that_nobody_looks_after_is_found(tmp_path: Path) -> None:
    ghost = "subprocess.Popen(['sleep', '600'], env={**os.environ, sys.argv[1]: 'old'}, stdout=-3, stderr=-3)"
    parent = [sys.executable, "-c", f"import os, subprocess, sys; print({ghost}.pid)", MARKER]
    pid = int(subprocess.run(parent, capture_output=True, text=True, check=True).stdout)
    try:
        found = ghosts([tmp_path])
        assert found.verdict == "failed"
        assert f"sleep (pid {pid})" in found.detail
        assert "by these pids" in found.hint
    finally:
        os.kill(pid, signal.SIGKILL)


def by_name(found: Iterator[Finding]) -> dict[str, Finding]:
    return {one.what: one for one in found}


def test_ports_that_are_taken_are_said(tmp_path: Path) -> None:
    with socket.socket() as taken, socket.socket() as other:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        other.bind(("127.0.0.1", 0))
        other.listen()
        port, tcp = taken.getsockname()[1], other.getsockname()[1]
        chosen = config(console={"port": port}, listen={"tcp": f"tcp://127.0.0.1:{tcp}"})
        found = by_name(examine_stage(options(), chosen, tmp_path, tmp_path))
    assert found["port of the console"].verdict == "warning"
    assert found["ports of [listen]"].verdict == "failed"
    assert str(tcp) in found["ports of [listen]"].detail
    assert found["keys of [listen]"].verdict == "warning"


def test_keys_and_the_switch_of_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)

    def found(**agent: object) -> dict[str, Finding]:
        return by_name(examine_stage(options(), config(agent=agent), tmp_path, tmp_path))

    assert found()["agent's key"].verdict == "ok"
    assert found(diagnoser="claude")["agent's key"].verdict == "failed"
    assert found(key_file=str(tmp_path / "none"))["agent's key"].verdict == "failed"
    assert "agent" not in found()
    (tmp_path / "agent.off").touch()
    assert found()["agent"].verdict == "warning"


def test_without_a_terminal_the_rest_is_looked_at_and_json_is_one_document(tmp_path: Path) -> None:
    words = [
        OPERATORD,
        "doctor",
        "--stage",
        "--json",
        "--state-dir",
        str(tmp_path / "s"),
        "--runtime-dir",
        str(tmp_path),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60)
    found = {one["what"]: one for one in json.loads(done.stdout)["findings"]}
    assert found["terminal"]["verdict"] == "warning"
    assert {"story", "memory", "processor", "ghosts", "valkey-server", "disk", "daemon", "faults owed"} <= found.keys()
    assert found["valkey-server"]["verdict"] == "ok"
    assert all(one["hint"] for one in found.values() if one["verdict"] != "ok")
