"""What is written to a terminal: only what changed, and exactly what is meant."""

import fcntl
import os
import pty
import random
import select
import struct
import termios
from collections.abc import Iterator

import pyte
import pytest
from rich.text import Text
from tests.clients.viewer import scenes

from operator_clients.viewer import diff
from operator_clients.viewer.canvas import Canvas, Cell, Pen, Picture
from operator_clients.viewer.compose import compose
from operator_clients.viewer.keys import TerminalGone
from operator_clients.viewer.layout import Rect, Size
from operator_clients.viewer.screen import Screen
from operator_clients.viewer.shell import Shell

COLOURS = {"TERM": "xterm-256color"}
SMALL = Size(80, 24)
SHELL = Shell("/run/operatord", "operatord start", joined=True, status="live", age_s=0.1)


class Display:
    """A pty with a reader that keeps its screen."""

    def __init__(self, width: int, height: int) -> None:
        self.master, self.slave = pty.openpty()
        os.set_blocking(self.master, False)
        self.pyte = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self.pyte)

    def read(self, until: str = diff.END_SYNC, *, taken: bytes = b"") -> bytes:
        """What was written, to its end: the bytes that every picture ends with, or other ones, of which some may have
        been ``taken`` already.
        """
        data, begun = b"", taken[1 - len(until) :]
        while not (begun + data).endswith(until.encode()):
            assert select.select([self.master], [], [], 30)[0], f"it does not go on after {data[-80:]!r}"
            data += os.read(self.master, 65536)
        self._stream.feed(data)
        return data

    def take(self) -> bytes:
        """What is there to be read, if anything is."""
        data = b""
        while select.select([self.master], [], [], 0.05)[0]:
            data += os.read(self.master, 65536)
        self._stream.feed(data)
        return data

    def close(self) -> None:
        for fd in (self.master, self.slave):
            os.close(fd)


@pytest.fixture
def display() -> Iterator[Display]:
    opened = Display(80, 24)
    yield opened
    opened.close()


def picture(moment: str = "healthy", size: Size = SMALL) -> Picture:
    return compose(scenes.ALL[moment]().view(), SHELL, size, Pen(COLOURS))


def rows(cells: Picture) -> list[str]:
    return ["".join(cell.text for cell in row) for row in cells]


def blank(width: int, height: int) -> Picture:
    return [[Cell(" ", "")] * width for _ in range(height)]


def written(*lines: str, width: int = 12) -> Picture:
    canvas = Canvas(Size(width, len(lines)), Pen(COLOURS))
    for number, line in enumerate(lines):
        canvas.place(Rect(0, number, width, 1), Text(line, no_wrap=True))
    return canvas.picture


def test_the_terminal_shows_the_picture_it_is_given(display: Display) -> None:
    screen = Screen(display.slave)
    shown = picture()
    assert screen.show(shown) > 0
    display.read()
    assert list(display.pyte.display) == rows(shown)


def test_an_unchanged_picture_writes_nothing(display: Display) -> None:
    screen = Screen(display.slave)
    screen.show(picture())
    display.read()
    assert screen.show(picture()) == 0
    assert display.take() == b""


def test_a_changed_figure_writes_its_own_cells_inside_synchronized_output(display: Display) -> None:
    screen = Screen(display.slave)
    film = scenes.healthy()
    screen.show(compose(film.view(), SHELL, Size(80, 24), Pen(COLOURS)))
    whole = len(display.read())
    film.show("workload.sample", scenes.sample(int(film.mono) + 1, 2011.0), after_s=1.0)
    screen.show(compose(film.view(), SHELL, Size(80, 24), Pen(COLOURS)))
    data = display.read()
    assert data.startswith(diff.BEGIN_SYNC.encode())
    assert data.endswith(diff.END_SYNC.encode())
    assert len(data) < whole / 8
    assert any("2,011 ops/s" in row for row in display.pyte.display)


def test_another_size_is_painted_whole(display: Display) -> None:
    screen = Screen(display.slave)
    screen.show(picture(size=Size(120, 40)))
    display.read()
    display.pyte.resize(lines=24, columns=80)
    shown = picture()
    screen.show(shown)
    assert b"\x1b[2J" in display.read()
    assert list(display.pyte.display) == rows(shown)


def test_after_entering_again_everything_is_painted_again(display: Display) -> None:
    screen = Screen(display.slave)
    screen.enter()
    screen.show(picture())
    screen.enter()
    assert screen.show(picture()) > 0


def test_leaving_twice_writes_once_and_leaving_unentered_nothing(display: Display) -> None:
    screen = Screen(display.slave)
    screen.leave()
    assert display.take() == b""
    screen.enter()
    screen.leave()
    screen.leave()
    said = display.read(until="\x1b[?1049l") + display.take()
    assert said.count(b"\x1b[?1049l") == 1


def test_a_terminal_that_is_gone_is_an_error_of_ours() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    screen = Screen(writer)
    with pytest.raises(TerminalGone):
        screen.show(picture())
    screen.leave()
    os.close(writer)


def test_a_terminal_that_somebody_made_non_blocking_still_gets_everything(display: Display) -> None:
    os.set_blocking(display.slave, False)
    screen = Screen(display.slave)
    screen.show(picture())
    display.read()
    assert list(display.pyte.display) == rows(picture())


def test_wide_characters_are_written_whole() -> None:
    before, after = written("数据库 a"), written("数据x  a")
    assert diff.changes(before, before) == ""
    stream_screen = pyte.Screen(12, 1)
    stream = pyte.Stream(stream_screen)
    stream.feed(diff.whole(before))
    stream.feed(diff.changes(before, after))
    assert stream_screen.display[0].rstrip() == "数据x  a"


def test_no_text_can_give_orders_to_the_terminal() -> None:
    size = Size(20, 1)
    canvas = Canvas(size, Pen(COLOURS))
    canvas.place(Rect(0, 0, 20, 1), Text("a\x1b[2J\x9b\u2067\u202eb\tc"))
    assert rows(canvas.picture)[0].split() == ["a", "[2J", "b", "c"]
    assert len(canvas.picture[0]) == 20


def test_a_box_over_half_a_wide_character_blanks_the_other_half() -> None:
    canvas = Canvas(Size(8, 1), Pen(COLOURS))
    canvas.place(Rect(0, 0, 8, 1), Text("数据库数"))
    canvas.place(Rect(1, 0, 4, 1), Text("[--]"))
    assert "".join(cell.text for cell in canvas.picture[0]) == " [--] 数"
    assert len(canvas.picture[0]) == 8


def test_what_lies_outside_the_canvas_is_cut_off() -> None:
    canvas = Canvas(Size(4, 2), Pen(COLOURS))
    canvas.place(Rect(2, 1, 10, 10), Text("abcdef\nghi"))
    canvas.place(Rect(9, 9, 1, 1), Text("z"))
    assert rows(canvas.picture) == ["    ", "  ab"]


def test_any_two_pictures_differ_by_what_is_written_between_them() -> None:
    dice = random.Random(7)
    alphabet = ["a", "b", " ", "数", "🔥", "─"]
    terminal = pyte.Screen(24, 4)
    stream = pyte.Stream(terminal)
    before = blank(24, 4)
    stream.feed(diff.whole(before))
    for _ in range(200):
        lines = ["".join(dice.choices(alphabet, k=dice.randint(0, 24))) for _ in range(4)]
        after = written(*lines, width=24)
        stream.feed(diff.changes(before, after))
        # pyte shows the right half of a wide character as nothing, as the picture does.
        assert [line.rstrip() for line in terminal.display] == [line.rstrip() for line in rows(after)]
        before = after


def paint_until_it_is_full(screen: Screen, shown: Picture) -> None:
    for _ in range(1_000):
        screen.forget()
        screen.show(shown)
        if screen.behind:
            return
    raise AssertionError("the terminal takes everything")


def test_a_terminal_that_takes_nothing_keeps_nobody_waiting_and_is_brought_up_to_date_later(display: Display) -> None:
    screen = Screen(display.slave)
    screen.enter()
    paint_until_it_is_full(screen, picture("broken"))
    screen.show(picture("diagnosed"))
    taken = b""
    while screen.behind:
        taken = display.take()
        screen.catch_up()
    display.read(taken=taken)
    assert list(display.pyte.display) == rows(picture("diagnosed"))
    assert os.get_blocking(display.slave)


def test_leaving_a_terminal_that_has_stopped_in_the_middle_does_not_wait_for_it(display: Display) -> None:
    screen = Screen(display.slave)
    screen.enter()
    paint_until_it_is_full(screen, picture())
    screen.leave()
    # Nothing is left to be written, and what was opened for it is closed.
    assert not screen.behind
    assert screen.out == display.slave


def test_a_terminal_that_claims_to_be_huge_is_painted_so_far(display: Display) -> None:
    fcntl.ioctl(display.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 65_535, 65_535, 0, 0))
    assert Screen(display.slave).size() == Size(1_000, 500)
