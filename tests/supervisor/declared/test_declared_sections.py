"""``[process.NAME]``: what is taken, and that whatever cannot work is refused with its file and key."""

import itertools
import signal
import stat
import tomllib
from pathlib import Path

import pytest

from operator_protocol.errors import BadRequest
from operatord.config import load_config
from operatord.declared.host import _check_user
from operatord.declared.sections import ProcessSection, ReadySection
from operatord.declared.specs import to_spec
from operatord.options import DaemonOptions

_EXAMPLE = Path(__file__).parents[3] / "deploy" / "operatord.example.toml"
NOBODY = "nobody"


def write(directory: Path, text: str) -> str:
    file = directory / "c.toml"
    file.write_text(text)
    return str(file)


def test_a_command_alone_is_enough_and_runs_in_the_directory_of_the_file(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, "[process.web]\ncommand = ['sleep', '9']"), to_start=True)
    spec = to_spec("web", config.process["web"])
    assert spec.command[0].endswith("/sleep")
    assert spec.command[1:] == ("9",)
    assert spec.cwd == tmp_path
    assert spec.user is None
    assert (spec.restart, spec.ready) == ("on-failure", "started")
    assert (spec.stop_signal, spec.stop_timeout_s) == (signal.SIGTERM, 5.0)


def test_a_string_is_split_as_a_shell_would_and_no_shell_sees_it(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, """[process.web]\ncommand = "echo 'a b' $HOME | cat > x" """))
    assert config.process["web"].command == ["echo", "a b", "$HOME", "|", "cat", ">", "x"]


def test_everything_that_can_be_said_reaches_the_table(tmp_path: Path) -> None:
    text = """
    [process.web]
    command = "./serve"
    env = { PORT = "8080" }
    cwd = "sub"
    restart = "always"
    success_codes = [0, 3]
    no_restart_codes = [78]
    depends_on = ["db", "cluster"]
    ready = { tcp = 8080, interval = 0.5, timeout = 1 }
    start_timeout = 12
    stop_signal = "SIGINT"
    stop_timeout = 0.5
    backoff = { base = 0.1, cap = 1, stable_after = 2, deaths = 0, window = 30 }
    [process.db]
    command = "sleep 9"
    """
    (tmp_path / "sub").mkdir()
    program = tmp_path / "sub" / "serve"
    program.write_text("#!/bin/sh\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    spec = to_spec("web", load_config(write(tmp_path, text), to_start=True).process["web"])
    assert spec.command == (str(program),)
    assert spec.env == {"PORT": "8080"}
    assert spec.cwd == tmp_path / "sub"
    assert (spec.restart, spec.success_codes, spec.no_restart_codes) == ("always", (0, 3), (78,))
    assert (spec.ready, spec.start_timeout_s) == ("probed", 12)
    assert (spec.stop_signal, spec.stop_timeout_s) == (signal.SIGINT, 0.5)
    backoff = spec.backoff
    assert (backoff.base_s, backoff.cap_s, backoff.stable_after_s) == (0.1, 1, 2)
    assert (backoff.flap_deaths, backoff.flap_window_s) == (None, 30)


def test_the_daemon_is_told_exactly_what_was_checked(tmp_path: Path) -> None:
    text = "[process.web]\ncommand = 'sleep 9'\nready = { exec = 'true' }\n[process.web.env]\nA = 'ü'"
    config = load_config(write(tmp_path, text))
    options = DaemonOptions(
        runtime_dir=tmp_path, state_dir=tmp_path, subject="valkey", load=False, keep_cluster=False, config=config
    )
    assert DaemonOptions.model_validate_json(options.model_dump_json()).config == config


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[process.web]", "process.web.command: Field required"),
        ("[process.web]\ncommand = ''", "process.web.command: the command is empty"),
        ("[process.web]\ncommand = []", "process.web.command: the command is empty"),
        ("[process.web]\ncommand = 'a \"b'", "process.web.command: No closing quotation"),
        ("[process.web]\ncommand = 5", "process.web.command"),
        ('[process.web]\ncommand = ["a", "\\u0000"]', "process.web.command.1: a zero byte"),
        ("[process.web]\ncommand = 'a'\ncommnad = 'b'", "process.web.commnad: there is no such key"),
        ("[process.web]\ncommand = 'a'\nrestart = 'sometimes'", "process.web.restart"),
        ("[process.web]\ncommand = 'a'\nstop_signal = 'TREM'", "process.web.stop_signal: there is no signal 'TREM'"),
        ("[process.web]\ncommand = 'a'\nstop_signal = 'STOP'", "process.web.stop_signal: SIGSTOP does not end"),
        ("[process.web]\ncommand = 'a'\nstop_timeout = -1", "process.web.stop_timeout"),
        ("[process.web]\ncommand = 'a'\nstart_timeout = 0", "process.web.start_timeout"),
        ("[process.web]\ncommand = 'a'\nno_restart_codes = [256]", "process.web.no_restart_codes.0"),
        ("[process.web]\ncommand = 'a'\nenv = { A = 1 }", "process.web.env.A"),
        ("[process.web]\ncommand = 'a'\nenv = { 'A=B' = '1' }", "process.web.env: 'A=B' is not a name"),
        ("[process.web]\ncommand = 'a'\nenv = { OPERATOR_RUN_ID = '1' }", "process.web.env: OPERATOR_RUN_ID belongs"),
        ("[process.web]\ncommand = 'a'\nready = {}", "process.web.ready: exactly one of"),
        ("[process.web]\ncommand = 'a'\nready = { tcp = 1, log = 'x' }", "process.web.ready: .* log and tcp"),
        ("[process.web]\ncommand = 'a'\nready = { log = '(' }", "process.web.ready.log: not a regular expression"),
        ("[process.web]\ncommand = 'a'\nready = { http = 'localhost:80' }", "process.web.ready.http: 'localhost:80'"),
        ("[process.web]\ncommand = 'a'\nready = { http = 'https://h/' }", "process.web.ready.http: https is not"),
        ("[process.web]\ncommand = 'a'\nready = { http = 'http://h:99999/' }", "process.web.ready.http: Port out"),
        ("[process.web]\ncommand = 'a'\nready = { http = 'http://u:p@h/' }", "process.web.ready.http: a name and"),
        ('[process.web]\ncommand = "a"\nready = { http = "http://h/\\r\\nX: y" }', "process.web.ready.http"),
        ("[process.web]\ncommand = 'a'\nready = { tcp = 'here' }", "process.web.ready.tcp: 'here' is not host:port"),
        ("[process.web]\ncommand = 'a'\nready = { tcp = '::1:80' }", "process.web.ready.tcp: .*brackets"),
        ("[process.web]\ncommand = 'a'\nready = { tcp = 0 }", "process.web.ready.tcp: 0 is not a port"),
        ("[process.web]\ncommand = 'a'\nready = { tcp = 1, interval = 0 }", "process.web.ready.interval"),
        ("[process.Web]\ncommand = 'a'", "process.Web: not a process name"),
        ("[process.monitor]\ncommand = 'a'", "process.monitor: the daemon has a part"),
        ("[process.forkserver]\ncommand = 'a'", "process.forkserver: the daemon has a part"),
        ("[process.cluster]\ncommand = 'a'", "process.cluster: the daemon has a part"),
        ("[process.valkey-3]\ncommand = 'a'", "process.valkey-3: nodes of a cluster"),
        ("[process.tikv2]\ncommand = 'a'", "process.tikv2: nodes of a cluster"),
        ("[process.slow-valkey-0]\ncommand = 'a'", "process.slow-valkey-0: nodes of a cluster"),
        ("[process.web]\ncommand = 'a'\ndepends_on = ['db']", "process.web.depends_on: there is no 'db'"),
        ("[process.web]\ncommand = 'a'\ndepends_on = ['web']", "process.web.depends_on.*web -> web"),
        (
            "".join(f"[process.{one}]\ncommand = 'x'\ndepends_on = ['{two}']\n" for one, two in ("ab", "bc", "ca")),
            "depends_on.*(a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c)",
        ),
    ],
)
def test_what_cannot_work_is_refused_with_file_and_key(tmp_path: Path, text: str, named: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(BadRequest, match=named) as refused:
        load_config(file)
    assert refused.value.message.startswith(f"{file}: ")
    assert refused.value.hint


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("command = 'no-such-command-here'", "process.web.command: 'no-such-command-here' is not here"),
        ("command = './c.toml'", "process.web.command: './c.toml' is not here, or not executable"),
        ("command = 'sleep'\nenv = { PATH = '/nowhere' }", "process.web.command: 'sleep' is not here"),
        ("command = 'sleep 1'\ncwd = 'nowhere'", r"process.web.cwd: .*/nowhere is not a directory"),
        ("command = 'sleep 1'\nuser = 'no-such-user'", "process.web.user: there is no user 'no-such-user'"),
        ("command = 'sleep 1'\nready = { exec = 'no-such-probe' }", "process.web.ready.exec: 'no-such-probe'"),
    ],
)
def test_what_this_host_lacks_is_refused_at_a_start_only(tmp_path: Path, text: str, named: str) -> None:
    file = write(tmp_path, f"[process.web]\n{text}\n")
    load_config(file)  # `operatord recover` reads it, too, and must be able to undo
    with pytest.raises(BadRequest, match=named) as refused:
        load_config(file, to_start=True)
    assert refused.value.message.startswith(f"{file}: ")


def test_a_file_that_anyone_may_write_decides_nothing_about_what_runs(tmp_path: Path) -> None:
    file = write(tmp_path, "[process.web]\ncommand = 'sleep 1'\n")
    Path(file).chmod(0o666)
    with pytest.raises(BadRequest, match="everyone may write this file") as refused:
        load_config(file, to_start=True)
    assert "chmod o-w" in refused.value.hint
    Path(file).write_text("")
    load_config(file, to_start=True)


def test_another_user_needs_root() -> None:
    with pytest.raises(BadRequest, match=r"process.web.user: only root"):
        _check_user("process.web.user", "root", 65_534)
    _check_user("process.web.user", NOBODY, 0)
    _check_user("process.web.user", "root", 0)


def test_the_example_shows_every_key_of_a_process_with_its_default() -> None:
    lines = _EXAMPLE.read_text().splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("# [process."))
    shown = itertools.takewhile(lambda line: line.startswith("# "), lines[begin:])
    declared = tomllib.loads("\n".join(line.removeprefix("# ") for line in shown))
    given = declared["process"]["api"]
    section = ProcessSection.model_validate(given)
    assert set(given) == set(ProcessSection.model_fields)
    has_default = set(given) - {"command", "cwd", "user", "ready"}
    defaults = ProcessSection(command=["x"]).model_dump(include=has_default)
    assert {key: given[key] for key in has_default} == defaults
    assert section.ready is not None
    given_ready = ReadySection(http="http://h/")
    assert (section.ready.interval, section.ready.timeout) == (given_ready.interval, given_ready.timeout)
