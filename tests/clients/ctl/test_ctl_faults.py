"""``fault`` and ``recover`` against a scripted daemon, and ``recover`` without any."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest
from tests.clients import bodies
from tests.clients.ctl.conftest import CTL, Ctl
from tests.clients.scripted import Script, ScriptedDaemon, any_json

from operator_clients.ctl.session import to_json
from operator_protocol.codec import Body
from operator_protocol.errors import Conflict, DeadlineExceeded
from operator_protocol.models import FaultAnswer, FaultKind, FaultParam
from operator_protocol.records import to_body


def count_down_and_inject(daemon: ScriptedDaemon, seconds: int = 3, tick_s: float = 0.05) -> None:
    def inject(_args: Body) -> Script:
        for remaining in range(seconds, 0, -1):
            daemon.publish("fault.countdown", bodies.fault(state="countdown", remaining=remaining, injected_at=None))
            yield tick_s
        daemon.publish("fault.injected", bodies.fault())
        return {"fault": to_body(bodies.fault())}

    daemon.on("fault", inject)


def test_fault_alone_leaves_target_and_countdown_to_the_daemon_and_returns_when_it_is_in_force(
    daemon: ScriptedDaemon, ctl: Ctl
) -> None:
    count_down_and_inject(daemon)
    done = ctl("fault")
    assert (done.returncode, done.stderr) == (0, "")
    assert "kill valkey-1 (primary): active, fault id f1" in done.stdout
    assert "undo it with: operatorctl recover" in done.stdout
    assert daemon.asked("fault") == [{"kind": "kill", "target": None, "countdown": None, "for": None, "force": False}]


def test_a_fault_of_limited_time_says_that_it_ends_by_itself(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.on("fault", lambda _args: {"fault": to_body(bodies.fault(params={"for_s": 30.0}))})
    assert "undone by itself after 30 s; before that with: operatorctl recover" in ctl("fault", "--for", "30s").stdout


def test_check_says_for_each_node_what_the_answer_would_be_and_does_nothing(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    answers = [
        FaultAnswer("valkey-1", True),
        FaultAnswer("valkey-4", False, "it is the last copy", "--force overrides"),
    ]
    daemon.on("fault.check", lambda _: {"answers": [to_body(one) for one in answers], "default_role": "primary"})
    done = ctl("fault", "slow", "--target", "valkey-1", "--set", "percent=50", "--check")
    assert (done.returncode, done.stderr) == (0, "")
    assert [row.split(maxsplit=2)[:2] for row in done.stdout.splitlines()[1:]] == [
        ["valkey-1", "allowed"],
        ["valkey-4", "refused"],
    ]
    assert "it is the last copy; --force overrides" in done.stdout
    order = {"kind": "slow", "target": "valkey-1", "force": False, "params": {"percent": "50"}}
    assert [(one.cmd, one.args) for one in daemon.requests] == [("fault.check", order)]
    daemon.on("fault.check", lambda _: {"answers": [to_body(answers[1])], "default_role": "primary"})
    assert ctl("fault", "--check").returncode == 1


def test_a_parameter_that_is_given_twice_is_a_usage_error(ctl: Ctl) -> None:
    done = ctl("fault", "slow", "--set", "percent=50", "--set", "period=20", "--set", "percent=60")
    assert done.returncode == 2
    assert "--set percent is given more than once" in done.stderr


def test_fault_passes_all_it_was_told_on(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    count_down_and_inject(daemon, 0)
    done = ctl("fault", "pause", "--target", "replica", "--countdown", "0", "--for", "30s", "--force", "--json")
    assert any_json(done.stdout)["fault"]["owed"] is True
    sent = {"kind": "pause", "target": "replica", "countdown": 0, "for": 30.0, "force": True}
    assert daemon.asked("fault") == [sent]


def test_parameters_travel_as_they_were_typed_because_only_the_daemon_knows_their_types(
    daemon: ScriptedDaemon, ctl: Ctl
) -> None:
    count_down_and_inject(daemon, 0)
    done = ctl("fault", "slow", "--set", "percent=50", "--set", "period=40ms", "--set", "peer=a=b")
    assert done.returncode == 0
    assert daemon.asked("fault")[0]["params"] == {"percent": "50", "period": "40ms", "peer": "a=b"}


@pytest.mark.parametrize("setting", ["percent", "=50", "percent=", " = "])
def test_a_parameter_without_name_or_value_is_a_usage_error(ctl: Ctl, setting: str) -> None:
    done = ctl("fault", "slow", "--set", setting)
    assert done.returncode == 2
    assert "is not NAME=VALUE" in done.stderr


KINDS = [
    FaultKind("kill", "SIGKILL: gone at once", "starting it again"),
    FaultKind(
        "slow",
        "stopped and continued",
        "SIGCONT",
        [
            FaultParam("percent", "share of the time stopped", 70.0, "%", 1.0, 95.0),
            FaultParam("size", "how much", 64 * 1024**2, "bytes", 4096.0),
            FaultParam("rate", "how fast", 1024**2, "bytes/s", 1024.0, float(1024**3)),
            FaultParam("direction", "which way", "both", choices=["in", "out", "both"]),
            FaultParam("exact", "no jitter", False),
            FaultParam("peer", "another node", ""),
        ],
    ),
    FaultKind("loss", "packets are dropped", "removing the rule", needs="root", missing="this daemon is not root"),
]


def test_the_catalogue_is_listed_with_what_may_be_set_and_what_is_missing(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    document = {"kinds": [to_body(kind) for kind in KINDS], "owed": [to_body(bodies.fault())]}
    daemon.on("faults", lambda _: document)
    done = ctl("faults")
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        done.stdout
        == """\
kill
    SIGKILL: gone at once
    undone by starting it again
slow
    stopped and continued
    undone by SIGCONT
    --set percent=70%  share of the time stopped (1 % to 95 %)
    --set size=64MiB  how much (at least 4 KiB)
    --set rate=1MiB/s  how fast (1 KiB/s to 1 GiB/s)
    --set direction=both  which way (one of in, out, both)
    --set exact=false  no jitter (true or false)
    --set peer=…  another node (text)
loss  not here
    packets are dropped
    undone by removing the rule
    needs root
    missing: this daemon is not root
owed: kill valkey-1 (active), fault id f1
"""
    )
    assert any_json(ctl("faults", "--json").stdout) == any_json(to_json(document))


def test_one_kind_of_the_catalogue_is_shown_alone_and_an_unknown_one_refused(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.on("faults", lambda _: {"kinds": [to_body(kind) for kind in KINDS], "owed": []})
    assert ctl("faults", "kill").stdout.startswith("kill\n")
    assert "slow" not in ctl("faults", "kill").stdout
    assert [kind["name"] for kind in any_json(ctl("faults", "loss", "--json").stdout)["kinds"]] == ["loss"]
    refused = ctl("faults", "earthquake")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "no fault is called 'earthquake' (there are kill, slow, loss)" in refused.stderr


def test_fault_without_waiting_returns_when_it_is_accepted(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    count_down_and_inject(daemon, 3, tick_s=60)
    done = ctl("fault", "--no-wait", "--json")
    assert done.returncode == 0
    assert any_json(done.stdout)["accepted"] is True


def test_a_fault_that_the_guard_refuses_is_exit_1(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    def refuse(_args: Body) -> Body:
        raise Conflict("2 of 3 primaries would be gone", "use --force")

    daemon.on("fault", refuse)
    done = ctl("fault")
    assert (done.returncode, done.stderr) == (1, "operatorctl: 2 of 3 primaries would be gone (use --force)\n")


def test_a_recovery_that_is_not_verified_in_time_is_exit_4(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    def too_slow(_args: Body) -> Body:
        raise DeadlineExceeded("valkey-1 is not healthy after 60 s")

    daemon.on("recover", too_slow)
    assert ctl("recover").returncode == 4


def test_on_a_terminal_the_countdown_is_counted(daemon: ScriptedDaemon, ctl_env: dict[str, str]) -> None:
    count_down_and_inject(daemon)
    child = pexpect.spawn(CTL[0], [*CTL[1:], "fault"], env=ctl_env, encoding="utf-8", timeout=30)
    child.expect_exact("kill valkey-1 in 3… 2… 1… ")
    child.expect_exact("fault id f1")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_ctrl_c_during_the_countdown_calls_the_fault_off(daemon: ScriptedDaemon, ctl_env: dict[str, str]) -> None:
    count_down_and_inject(daemon, 3, tick_s=60)
    daemon.on("recover", lambda _: {"recovered": [], "message": "called off"})
    child = pexpect.spawn(CTL[0], [*CTL[1:], "fault"], env=ctl_env, encoding="utf-8", timeout=30)
    child.expect_exact("in 3… ")
    child.sendintr()
    child.expect_exact("calling it off")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert daemon.asked("recover") == [{"id": "f1"}]


def test_ctrl_c_never_calls_off_what_somebody_else_has_asked_for(
    daemon: ScriptedDaemon, ctl_env: dict[str, str]
) -> None:
    theirs = bodies.fault("theirs", state="countdown", target="valkey-2", remaining=9, injected_at=None)
    daemon.publish("fault.countdown", theirs)

    def inject(_args: Body) -> Script:
        for remaining in (3, 2):
            daemon.publish("fault.countdown", bodies.fault(state="countdown", remaining=remaining, injected_at=None))
            daemon.publish("fault.countdown", theirs)
        yield 60
        return {}

    daemon.on("fault", inject)
    daemon.on("recover", lambda _: {"recovered": [], "message": "called off"})
    child = pexpect.spawn(CTL[0], [*CTL[1:], "fault"], env=ctl_env, encoding="utf-8", timeout=30)
    child.expect_exact("kill valkey-1 in 3… 2… ")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert daemon.asked("recover") == [{"id": "f1"}]


def test_recover_says_what_it_recovered(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    now = time.time()
    undone = bodies.fault(state="recovered", injected_at=now, recovered_at=now + 2.5, recovered_by="undo")

    def recover(_args: Body) -> Script:
        yield 0.1
        return {"recovered": [to_body(undone)], "message": "recovered kill on valkey-1"}

    daemon.on("recover", recover)
    done = ctl("recover", "f1")
    assert done.returncode == 0
    assert "kill valkey-1: recovered by undo 2.5 s after the injection" in done.stdout
    assert daemon.asked("recover") == [{"id": "f1"}]


def test_nothing_to_recover_is_success_and_said(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.on("recover", lambda _: {"recovered": [], "message": "nothing is owed: no fault is in force"})
    done = ctl("recover")
    assert (done.returncode, done.stdout) == (0, "nothing is owed: no fault is in force\n")
    assert daemon.asked("recover") == [{"id": None}]
    assert any_json(ctl("recover", "--no-wait", "--json").stdout)["accepted"] is True


def install_operatord(directory: Path, script: str) -> dict[str, str]:
    """A program called ``operatord`` first on the path, which does what ``script`` says."""
    program = directory / "operatord"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{directory}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize("exit_code", [0, 1])
def test_recover_without_a_daemon_runs_operatord_recover_and_says_so(
    ctl: Ctl, runtime_dir: Path, tmp_path: Path, exit_code: int
) -> None:
    installed = install_operatord(tmp_path, f'echo "called: $* in $OPERATOR_RUNTIME_DIR"; exit {exit_code}')
    done = ctl("recover", env=installed)
    assert (done.returncode, done.stdout) == (exit_code, f"called: recover in {runtime_dir}\n")
    assert done.stderr == f"operatorctl: no daemon answers at {runtime_dir}; running: operatord recover\n"


def test_recover_without_a_daemon_answers_in_json_too(ctl: Ctl, tmp_path: Path) -> None:
    """The document is that of ``operatord recover --json``, or an error when that said nothing."""
    told = """test "$*" = "recover --json" && echo '{"recovered": [], "message": "nothing is owed"}'"""
    done = ctl("recover", "--json", env=install_operatord(tmp_path, told))
    assert (done.returncode, any_json(done.stdout)["message"]) == (0, "nothing is owed")
    refused = ctl("recover", "--json", env=install_operatord(tmp_path, "exit 1"))
    assert refused.returncode == 1
    assert any_json(refused.stdout)["error"]["message"] == "operatord recover ended with exit code 1"


def test_recover_without_a_daemon_and_without_operatord_is_exit_3(ctl_env: dict[str, str], tmp_path: Path) -> None:
    # An interpreter elsewhere has no operatord beside it; the packages are found through the path.
    python = tmp_path / "python3"
    python.symlink_to(Path(sys.executable).resolve())
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [str(python), "-m", "operator_clients.ctl", "recover"],
        env={**ctl_env, "PATH": str(tmp_path), "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 3
    assert "operatord is not installed here either" in done.stderr
