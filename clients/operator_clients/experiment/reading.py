"""From a TOML file to an ``Experiment``, or to everything that is wrong with it."""

import tomllib
from collections.abc import Callable
from pathlib import Path

from operator_clients.ctl.exits import Usage
from operator_clients.ctl.wait import check_topic
from operator_clients.experiment.conditions import Condition, parse_product
from operator_clients.experiment.model import (
    AGAIN_WITHIN_S,
    HOLD_S,
    START,
    TARGET,
    WITHIN_S,
    Expectations,
    ExpectStep,
    Experiment,
    FaultStep,
    HoldStep,
    Load,
    LoadStep,
    RecoverStep,
    RestartStep,
    SteadyCondition,
    SteadyState,
    Step,
    WaitStep,
)
from operator_clients.experiment.tables import Problem, Table
from operator_protocol.toml_lines import lines_of
from operator_protocol.topics import is_process_name

_RESERVED = (START, TARGET)
_MAX_BYTES = 1 << 20


class BadFile(Usage):
    """An experiment that cannot be run as it is written."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.problems = sorted(problems)
        told = [problem.told(file) for problem in self.problems]
        super().__init__(told[0] if len(told) == 1 else f"{file} has {len(told)} mistakes: {'; '.join(told)}")
        self.file = file


def read_experiment(path: Path) -> Experiment:
    """Read and check a file. Raises ``BadFile`` with all that is wrong with it."""
    file = str(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadFile(file, [Problem(0, "", "is over 1 MiB; that is no experiment")])
        text = path.read_bytes().decode()
    except OSError as error:
        raise BadFile(file, [Problem(0, "", f"cannot be read: {error.strerror or error}")]) from error
    except UnicodeDecodeError as error:
        raise BadFile(file, [Problem(0, "", f"is not UTF-8: byte {error.start} cannot be read")]) from error
    return parse_experiment(text, file)


def parse_experiment(text: str, file: str) -> Experiment:
    """The same for a text that was read already."""
    text = text.replace("\r\n", "\n")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadFile(file, [_syntax(str(error), text)]) from error
    problems: list[Problem] = []
    table = Table(document, (), lines_of(text), problems)
    experiment = _experiment(table, file)
    if problems:
        raise BadFile(file, problems)
    return experiment


def _syntax(message: str, text: str) -> Problem:
    """``tomllib`` says "… (at line 3, column 7)"."""
    told, _, place = message.rpartition(" (at ")
    words = place.rstrip(")").replace(",", "").split()
    if len(words) == 4 and words[0] == "line":
        return Problem(int(words[1]), "", f"not TOML: {told} (column {words[3]})")
    return Problem(text.count("\n") + 1, "", f"not TOML: {told or message}")


def _experiment(table: Table, file: str) -> Experiment:
    title = table.text("title")
    description = table.text("description", "")
    load, steady, expect = table.table("load"), table.table("steady_state"), table.table("expect")
    steps = _Steps().read(table.tables("step"))
    if not steps and not table.has("step"):
        table.wrong("step", "is missing: an experiment without a step tries nothing", None)
    experiment = Experiment(
        path=file,
        title=" ".join(title.split()),
        description=description.strip(),
        load=_load(load) if load else None,
        steady_state=_steady_state(steady) if steady else None,
        steps=steps,
        expect=_expectations(expect) if expect else Expectations(),
    )
    table.done()
    return experiment


def _load(table: Table) -> Load:
    load = Load(table.rate("rate", required=True) or 0.0)
    table.done()
    return load


def _steady_state(table: Table) -> SteadyState:
    conditions = []
    for condition, inner in table.conditions("conditions"):
        during, tolerate_s = False, None
        if inner is not None:
            during, tolerate_s = inner.flag("during"), inner.limit("tolerate")
            if tolerate_s is not None and not during:
                inner.wrong("tolerate", "says for how long a condition with `during = true` may be broken", None)
            inner.done()
        if _mentions_fault(condition):
            table.wrong("conditions", f"{condition.text!r}: no fault was injected yet that $NAME could stand for", None)
        conditions.append(SteadyCondition(condition, during, tolerate_s or 0.0))
    steady = SteadyState(
        tuple(conditions),
        hold_s=table.seconds("hold", HOLD_S),
        within_s=table.seconds("within", WITHIN_S),
        again_within_s=table.seconds("again_within", AGAIN_WITHIN_S),
    )
    for key, limit_s in (("within", steady.within_s), ("again_within", steady.again_within_s)):
        if limit_s < steady.hold_s:
            table.wrong(key, f"is shorter than the {steady.hold_s:g} s that the conditions must hold", None)
    table.done()
    return steady


def _expectations(table: Table) -> Expectations:
    lowest = table.raw("lowest_throughput")
    products = []
    if isinstance(lowest, str | int | float) and not isinstance(lowest, bool):
        products = table.parsed(("lowest_throughput",), str(lowest), lambda text: parse_product(text, "ops/s"))
    elif lowest is not None:
        table.wrong("lowest_throughput", 'is a rate like 500 or "0.3 * baseline"', None)
    expect = Expectations(
        max_detection_s=table.limit("max_detection"),
        max_recovery_s=table.limit("max_recovery"),
        max_outage_s=table.limit("max_outage"),
        lowest_throughput=products[0] if products else None,
        max_errors=table.count("max_errors"),
    )
    table.done()
    return expect


class _Steps:
    """The steps in their order: a step may refer to those before it."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._faults: list[str] = []
        """Names of the steps that inject, unnamed ones as an empty text."""

    def read(self, tables: list[Table]) -> tuple[Step, ...]:
        """All of them; those that are wrong are left out, their problems noted."""
        readers: dict[str, Callable[[Table, str], Step]] = {
            "load": _load_step,
            "fault": self._fault_step,
            "recover": self._recover_step,
            "wait": self._wait_step,
            "hold": _hold_step,
            "expect": self._expect_step,
            "restart": self._restart_step,
        }
        steps = []
        for table in tables:
            action, name = table.choice("action", tuple(readers)), table.name("name")
            if name in _RESERVED or (name and name in self._names):
                table.wrong("name", f"{name!r} is {'reserved' if name in _RESERVED else 'taken by a step before'}", "")
            if not action:
                continue
            steps.append(readers[action](table, name))
            table.done()
            self._names.append(name)
        return tuple(steps)

    def _fault_step(self, table: Table, name: str) -> Step:
        countdown_s = table.seconds("countdown")
        if countdown_s != int(countdown_s):
            table.wrong("countdown", "has whole seconds", None)
        step = FaultStep(
            name=name,
            line=table.line,
            kind=table.text("kind"),
            target=table.text("target") if table.has("target") else table.text("target", "") or None,
            params=table.scalars("params"),
            countdown_s=countdown_s,
            for_s=table.limit("for"),
            force=table.flag("force"),
        )
        self._check_reference(table, "target", step.target or "")
        self._faults.append(name)
        return step

    def _recover_step(self, table: Table, name: str) -> Step:
        fault = table.name("fault") or None
        if fault and fault not in self._faults:
            table.wrong("fault", f"no fault step before this one is named {fault!r}", None)
        if not self._faults:
            table.wrong("action", "there is no fault step before this one to recover from", None)
        return RecoverStep(name=name, line=table.line, fault=fault, within_s=table.limit("within"))

    def _wait_step(self, table: Table, name: str) -> Step:
        event = table.text("event")
        if event:
            try:
                check_topic(event)
            except Usage as error:
                table.wrong("event", str(error), None)
        within_s = table.limit("within")
        timeout_s = table.seconds("timeout", max(WITHIN_S, within_s or 0.0))
        if within_s is not None and timeout_s < within_s:
            table.wrong("timeout", f"is shorter than the {within_s:g} s that are allowed", None)
        since = table.name("since") or None
        if since and since not in (START, *self._names):
            table.wrong("since", f"no step before this one is named {since!r}", None)
        match = table.matches("match")
        for wanted in match.values():
            for text in wanted:
                self._check_reference(table, "match", text)
        return WaitStep(
            name=name, line=table.line, event=event, match=match, timeout_s=timeout_s, within_s=within_s, since=since
        )

    def _expect_step(self, table: Table, name: str) -> Step:
        conditions = []
        for condition, inner in table.conditions("that"):
            if inner is not None:
                inner.done()
            conditions.append(condition)
            for path in condition.paths:
                for part in path:
                    self._check_reference(table, "that", part)
        hold_s = table.seconds("hold")
        within_s = table.seconds("within", max(WITHIN_S, hold_s))
        if within_s < hold_s:
            table.wrong("within", f"is shorter than the {hold_s:g} s that it must hold", None)
        return ExpectStep(name=name, line=table.line, that=tuple(conditions), within_s=within_s, hold_s=hold_s)

    def _restart_step(self, table: Table, name: str) -> Step:
        process = table.text("process")
        if process.startswith("$"):
            self._check_reference(table, "process", process)
        elif process and not is_process_name(process):
            table.wrong("process", f"{process!r} is not the name of a process, like valkey-1 or monitor", None)
        return RestartStep(name=name, line=table.line, process=process)

    def _check_reference(self, table: Table, key: str, text: str) -> None:
        if not text.startswith("$"):
            return
        name = text[1:]
        if not self._faults:
            table.wrong(key, f"{text!r}: there is no fault step before this one", None)
        elif name != TARGET and name not in self._faults:
            table.wrong(key, f"{text!r}: no fault step before this one is named {name!r}", None)


def _load_step(table: Table, name: str) -> Step:
    do = table.choice("do", ("start", "rate", "stop"))
    rate = table.rate("rate", required=do == "rate")
    if do == "stop" and rate is not None:
        table.wrong("rate", "a load that stops has no rate", None)
    return LoadStep(
        name=name, line=table.line, do="stop" if do == "stop" else "rate" if do == "rate" else "start", rate=rate
    )


def _hold_step(table: Table, name: str) -> Step:
    return HoldStep(name=name, line=table.line, for_s=table.seconds("for", required=True))


def _mentions_fault(condition: Condition) -> bool:
    return any(part.startswith("$") for path in condition.paths for part in path)
