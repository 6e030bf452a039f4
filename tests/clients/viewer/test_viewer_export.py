"""Pictures and films of a recording, made without a terminal, and shown by readers that are not ours."""

import fcntl
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import pyte
import pytest
from tests.protocol.journals import Press

from operator_clients.recordings import recording_path
from operator_clients.viewer.canvas import BLANK, Cell, Picture
from operator_clients.viewer.cli import main
from operator_clients.viewer.export.colours import look_of
from operator_clients.viewer.export.filming import Camera
from operator_clients.viewer.export.svg import Run, runs, svg
from operator_clients.viewer.layout import Size, screen_size
from operator_protocol.recording import Recording

ROOT = Path(__file__).parents[3]
README_PICTURE = "docs/images/viewer.svg"
AFTER_THE_DIAGNOSIS = "55"
ELEMENTS = {"svg", "title", "desc", "style", "rect", "g", "text", "path"}
SVG = "{http://www.w3.org/2000/svg}"


def exported(*options: str) -> int:
    return main(["--replay", "valkey", "--export", *options])


def lines_of(picture: Picture) -> list[str]:
    return ["".join(cell.text for cell in row).rstrip() for row in picture]


def check_svg(document: str) -> ET.Element:
    """It can be parsed, and nothing in it is loaded from somewhere or run."""
    root = ET.fromstring(document)  # noqa: S314 (our own)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == ELEMENTS
    assert not any("href" in name or name.startswith("on") for element in root.iter() for name in element.attrib)
    assert re.findall(r"url\(|@import|@font-face|https?://(?!www\.w3\.org/2000/svg\")", document) == []
    return root


def test_an_svg_holds_the_words_of_that_moments_screen_in_their_places(tmp_path: Path) -> None:
    out = tmp_path / "x.svg"
    assert exported("svg", "--at", AFTER_THE_DIAGNOSIS, "--size", "100x30", "--out", str(out)) == 0
    root = check_svg(out.read_text())
    with Recording.open(recording_path("valkey")) as recording:
        picture = Camera(recording, Size(100, 30), start_s=55.0, speed=1.0, animate=False).picture()
    expected = [re.sub(r"[─│╭╮╰╯┌┐└┘├┤┬┴┼━┃┏┓┗┛┣┫▀-▐]", " ", line).rstrip() for line in lines_of(picture)]
    drawn = [[" "] * 100 for _ in range(30)]
    for text in root.iter(f"{SVG}text"):
        column, row = int(text.attrib["x"]) // 8, int(float(text.attrib["y"]) // 18)
        assert int(text.attrib["textLength"]) == 8 * len(text.text or "")
        drawn[row][column : column + len(text.text or "")] = text.text or ""
    assert ["".join(row).rstrip() for row in drawn] == expected
    assert "Stage 4: Detection" in (root.findtext(f"{SVG}desc") or "")


def test_the_runs_of_a_row_are_its_words_in_their_columns() -> None:
    cells = [Cell(char, "") for char in "ab c  ● d│e"]
    assert list(runs(cells)) == [Run(0, 4, "ab c"), Run(6, 1, "●"), Run(8, 1, "d"), Run(10, 1, "e")]
    wide = [Cell("x", ""), Cell("漢", ""), Cell("", ""), Cell("y", "")]
    assert list(runs(wide, 5)) == [Run(5, 1, "x"), Run(6, 2, "漢"), Run(8, 1, "y")]


def test_text_that_looks_like_markup_stays_text() -> None:
    row = [Cell(char, "\x1b[1;31m") for char in '<b>&"']
    document = svg([[*row, BLANK]], "<title>", "a & b")
    root = check_svg(document.replace("</g>", '<path d=""/></g>'))
    assert [text.text for text in root.iter(f"{SVG}text")] == ['<b>&"']
    assert root.findtext(f"{SVG}title") == "<title>"


def test_styles_are_read_as_a_terminal_reads_them() -> None:
    plain = look_of("")
    assert not (plain.paper or plain.bold)
    assert look_of("\x1b[1;3;4;9;31m")[2:] == (True, True, True, True)
    assert look_of("\x1b[7m").paper == plain.ink
    assert look_of("\x1b[2m").ink != plain.ink
    assert look_of("\x1b[38;2;1;2;3;44m").ink == "#010203"


def test_an_asciicast_shows_on_another_terminal_what_the_viewer_shows(tmp_path: Path) -> None:
    out = tmp_path / "x.cast"
    stretch = ("--from", "36", "--to", "44", "--speed", "2", "--idle", "0.5")
    assert exported("asciicast", "--size", "90x28", *stretch, "--out", str(out)) == 0
    header, *events = [json.loads(line) for line in out.read_text().splitlines()]
    assert (header["version"], header["width"], header["height"]) == (2, 90, 28)
    times = [event[0] for event in events]
    assert times == sorted(times)
    assert 0.0 == times[0] < times[-1] <= 4.0
    assert max(after - before for before, after in pairwise(times)) <= 0.501
    assert {event[1] for event in events} == {"o"}
    screen = pyte.Screen(90, 28)
    stream = pyte.Stream(screen)
    for event in events:
        stream.feed(event[2])
    with Recording.open(recording_path("valkey")) as recording:
        camera = Camera(recording, Size(90, 28), start_s=36.0, speed=2.0, animate=True)
        camera.see(44.0)
        expected = lines_of(camera.picture())
    shown = [line.rstrip() for line in screen.display]
    assert "REPLAY" in shown[0]
    assert shown == expected


def test_a_film_of_what_stands_still_is_as_short_as_the_limit_allows(tmp_path: Path) -> None:
    press = Press(tmp_path)
    path = press.begin("still.opj")
    press.publish("heartbeat", {"seq": 1})
    press.publish("heartbeat", {"seq": 2}, after_s=30.0)
    press.end()
    out = tmp_path / "x.cast"
    assert (
        main(["--replay", str(path), "--export", "asciicast", "--idle", "0.1", "--no-animation", "--out", str(out)])
        == 0
    )
    header, *events = [json.loads(line) for line in out.read_text().splitlines()]
    assert header["idle_time_limit"] == 0.1
    assert events[-1][0] == pytest.approx(0.1 * (len(events) - 1))
    assert events[-1][0] < 15.0


def test_what_is_no_file_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        os.set_blocking(reader, True)
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 1 << 20)
        assert exported("svg", "--size", "80x24", "--out", str(pipe)) == 0
        assert os.read(reader, 4).startswith(b"<svg")
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("svg",), 2, "--export needs --out FILE"),
        (("png", "--out", "x"), 2, "invalid choice: 'png'"),
        (("svg", "--out", "x", "--size", "big"), 2, "'big' is not a size like 120x40"),
        (("svg", "--out", "x", "--size", "79x24"), 2, "79x24 is too small: the five panels need 80x24"),
        (("svg", "--out", "x", "--size", "9000x24"), 2, "9000x24 is too large"),
        (("svg", "--out", "x", "--speed", "2"), 2, "an SVG is one moment: --at T, without --speed"),
        (("asciicast", "--out", "x", "--at", "2"), 2, "an asciicast is a stretch of time"),
        (("svg", "--out", "x", "--at", "1h"), 1, "is beyond its end"),
        (("asciicast", "--out", "x", "--from", "5", "--to", "4"), 1, "there is nothing from 5 s to 4 s"),
        (("svg", "--out", "no/such/x.svg"), 1, "cannot write no/such/x.svg: No such file or directory"),
    ],
)
def test_what_cannot_be_exported_is_said_in_one_line(
    options: tuple[str, ...], status: int, said: str, *, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    try:
        left = exported(*options)
    except SystemExit as exit_:
        left = int(str(exit_.code))
    assert left == status
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_options_of_an_export_need_a_recording(capsys: pytest.CaptureFixture[str]) -> None:
    for options, said in (
        (["--export", "svg", "--out", "x"], "--export needs a recording"),
        (["--replay", "valkey", "--size", "80x24"], "--size needs --export svg or --export asciicast"),
    ):
        with pytest.raises(SystemExit):
            main(options)
        assert said in capsys.readouterr().err


def test_a_pipe_gets_it_and_may_close_early() -> None:
    command = [sys.executable, "-m", "operator_clients.viewer", "--replay", "valkey", "--export", "asciicast"]
    with subprocess.Popen([*command, "--out", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as film:
        assert film.stdout is not None
        assert film.stderr is not None
        assert json.loads(film.stdout.readline())["version"] == 2
        film.stdout.close()
        assert film.stderr.read() == b""
        assert film.wait(60) == 0


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_a_film_that_somebody_ends_leaves_nothing_behind(tmp_path: Path, signum: int) -> None:
    command = [sys.executable, "-m", "operator_clients.viewer", "--replay", "valkey", "--export", "asciicast"]
    with subprocess.Popen([*command, "--out", str(tmp_path / "x.cast")], stderr=subprocess.PIPE) as film:
        give_up_at = time.monotonic() + 60
        while not list(tmp_path.iterdir()) and time.monotonic() < give_up_at:
            time.sleep(0.01)
        film.send_signal(signum)
        assert film.wait(60) == 128 + signum
        assert film.stderr is not None
        assert film.stderr.read() == b""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("out", ["file/x.svg", "x" * 300, "nowhere/x.svg", "."])
def test_where_nothing_can_be_written_is_said(
    tmp_path: Path, out: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    assert exported("svg", "--out", out) == 1
    assert capsys.readouterr().err.startswith(f"operator-viewer: cannot write {out}: ")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_recording_whose_name_no_file_can_have_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--replay", "x" * 300, "--plain"]) == 1
    assert "File name too long" in capsys.readouterr().err


def test_sizes_are_columns_by_rows() -> None:
    assert screen_size("120x40") == Size(120, 40)


def test_the_readmes_picture_is_one_of_these() -> None:
    document = (ROOT / README_PICTURE).read_text()
    assert f"({README_PICTURE})" in (ROOT / "README.md").read_text()
    assert len(document.encode()) < 200_000
    root = check_svg(document)
    assert root.findtext(f"{SVG}title", "").startswith("operator-viewer, a recording")
    assert "REPLAY" in root.findtext(f"{SVG}desc", "")
