"""A session in front of a film: keys in, pictures out; what it sends is written down, and answered from a table."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from rich.cells import cell_len
from tests.clients.viewer import scenes

from operator_clients.viewer.canvas import Pen
from operator_clients.viewer.compose import compose
from operator_clients.viewer.layout import Size
from operator_clients.viewer.session import Session
from operator_clients.viewer.view import View
from operator_protocol.codec import Body
from operator_protocol.endpoint import Endpoint, runtime_endpoint
from operator_protocol.errors import OperatorError
from operator_protocol.events import Event, Joined, Outcome, Resynced, Status
from operator_protocol.frames import Frame
from operator_protocol.state import State

Answer = Body | OperatorError | Callable[[Mapping[str, Any]], Body]
SIZES = [Size(80, 24), Size(120, 40), Size(200, 60)]


class Table:
    """A source whose commands are answered by ``answers``; those that are not in it have no outcome yet."""

    def __init__(self, film: scenes.Film, answers: dict[str, Answer]) -> None:
        self.endpoint: Endpoint = runtime_endpoint("/run/operatord")
        self.film = film
        self.answers = answers
        self.status: Status = "live"
        self.boot_id: str | None = scenes.BOOT
        self.tail: deque[Frame] = deque()
        self.sent: list[tuple[str, Body]] = []
        self.events: list[Event] = [Joined(scenes.BOOT)]

    @property
    def state(self) -> State:
        return self.film.state

    def age_s(self) -> float:
        return 0.1

    def fds(self) -> list[int]:
        return []

    def poll(self, timeout_s: float) -> list[Event]:
        del timeout_s
        events, self.events = self.events, []
        return events

    def send(self, cmd: str, args: Mapping[str, Any] | None = None, *, deadline_s: float = 60.0) -> str:
        del deadline_s
        self.sent.append((cmd, dict(args or {})))
        number = str(len(self.sent))
        answer = self.answers.get(cmd)
        if callable(answer):
            answer = answer(args or {})
        if isinstance(answer, OperatorError):
            self.events.append(Outcome(number, cmd, None, answer))
        elif answer is not None:
            self.events.append(Outcome(number, cmd, answer, None))
        return number


class Stage:
    """One person at a terminal that nobody has to start."""

    def __init__(self, answers: dict[str, Answer] | None = None, *, readonly: bool = False) -> None:
        self.film = scenes.Film()
        self.source = Table(self.film, answers or {})
        self.session = Session(self.source, readonly=readonly)
        self.film.story = self.session.story
        self.pen = Pen({"TERM": "xterm-256color"})
        self.size = SIZES[0]
        self.settle()

    def settle(self) -> None:
        """Take in what has been answered, and what that leads to."""
        while self.source.events:
            self.session.observe(self.source.poll(0), self.film.mono, scenes.EPOCH + self.film.mono)
            self.session.shell(self.film.mono)

    def press(self, *keys: str) -> "Stage":
        """Press one key after the other, looking at the picture in between."""
        for key in keys:
            self.session.press(key, self.film.mono)
            self.session.tick(self.film.mono)
            self.settle()
            self.text()
        return self

    def write(self, text: str) -> "Stage":
        return self.press(*("space" if char == " " else char for char in text))

    def view(self) -> View:
        film = self.film
        return View(
            film.state, film.story, scenes.EPOCH + film.mono, film.mono, animate=False, readonly=self.session.readonly
        )

    def text(self) -> str:
        """The screen; whatever is on top of it is a whole box."""
        shell = self.session.shell(self.film.mono)
        self.settle()
        picture = compose(self.view(), shell, self.size, self.pen)
        lines = ["".join(cell.text for cell in row) for row in picture]
        assert (len(lines), {cell_len(line) for line in lines}) == (self.size.height, {self.size.width})
        return "\n".join(lines)

    def top(self) -> str:
        """What is in the overlay on top, without its borders, which are looked at here."""
        self.text()
        overlay = self.session.overlays[-1]
        below = Size(self.size.width, self.size.height - 2)
        wanted = overlay.size(self.view(), below)
        size = Size(min(wanted.width, below.width), min(wanted.height, below.height))
        rows = ["".join(cell.text for cell in row) for row in self.pen.draw(overlay.draw(self.view(), size), size)]
        assert {cell_len(row) for row in rows} == {size.width}
        assert (rows[0][0], rows[0][-1], rows[-1][0], rows[-1][-1]) == tuple("┏┓┗┛"), "\n".join(rows)
        assert all((row[0], row[-1]) == ("┃", "┃") for row in rows[1:-1]), "\n".join(rows)
        return "\n".join([rows[0], *(row[2:-2] for row in rows[1:-1]), rows[-1]])

    def said(self) -> str:
        """The same as one line, however it is wrapped."""
        return " ".join(self.top().split())

    def down_to(self, wanted: str) -> "Stage":
        """Press the arrow until the chosen row has ``wanted``."""
        for _ in range(60):
            if any("▶" in row and wanted in row.partition("▶")[2] for row in self.top().splitlines()):
                return self
            self.press("down")
        raise AssertionError(f"no row has {wanted!r}:\n{self.top()}")

    def changed(self) -> list[tuple[str, Body]]:
        """What was sent, without what only looks."""
        looks = ("faults", "fault.check", "tickets", "ticket")
        return [
            (cmd, args) for cmd, args in self.source.sent if cmd not in looks and not (cmd == "act" and args["dry_run"])
        ]

    def resync(self, reason: str = "frames were lost") -> None:
        """Another snapshot in place of the state."""
        self.film.state = State.from_wire(self.film.state.to_wire())
        self.source.events.append(Resynced(reason))
        self.settle()
