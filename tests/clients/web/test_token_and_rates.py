"""The control token's file, and the buckets that slow down who asks too often."""

import stat
from pathlib import Path

import pytest

from operator_clients.web.cli import main
from operator_clients.web.security.hosts import is_host_allowed, is_origin_allowed
from operator_clients.web.security.rates import RateLimit
from operator_clients.web.security.token import TokenKeeper, new_token, read_token, write_token
from operator_protocol.errors import BadRequest, NotFound


def test_a_token_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "token.json"
    made = TokenKeeper(path).ensure(30)
    assert TokenKeeper(path).ensure(30) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(made.secret) >= 43
    assert made.secret not in repr(made)


def test_a_token_ends_and_stays_ended_until_somebody_wants_a_new_one(tmp_path: Path) -> None:
    path, now = tmp_path / "token.json", [1_000.0]
    keeper = TokenKeeper(path, wall=lambda: now[0])
    token = keeper.ensure(1)
    assert keeper.judge(token.secret) == "right"
    now[0] += 86_400
    assert keeper.judge(token.secret) == "expired"
    assert keeper.judge("guess") == "wrong"
    assert keeper.ensure(1) == token


def test_a_rotated_token_takes_the_place_of_the_old_one_at_once(tmp_path: Path) -> None:
    keeper = TokenKeeper(tmp_path / "token.json")
    old = keeper.ensure(1)
    new = new_token(1, old.created_at)
    write_token(keeper.path, new)
    assert (keeper.judge(old.secret), keeper.judge(new.secret)) == ("wrong", "right")


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "null", '{"operator_web_token": 2}', '{"operator_web_token": 1, "secret": "x"}']
)
def test_a_damaged_file_lets_nobody_in(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(BadRequest, match="damaged"):
        read_token(path)
    assert TokenKeeper(path).judge("") == "wrong"


def test_a_file_that_others_can_read_lets_nobody_in(tmp_path: Path) -> None:
    keeper = TokenKeeper(tmp_path / "token.json")
    secret = keeper.ensure(1).secret
    keeper.path.chmod(0o640)
    assert keeper.judge(secret) == "wrong"
    with pytest.raises(BadRequest, match="open to others"):
        keeper.ensure(1)


def test_show_prints_the_token_alone_and_rotate_a_new_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--token-file", str(tmp_path / "token.json")]
    assert main(["token", "show", *words]) == 1
    assert "token rotate" in capsys.readouterr().err
    assert main(["token", "rotate", *words, "--days", "2"]) == 0
    made = capsys.readouterr().out.strip()
    assert main(["token", "show", *words]) == 0
    assert capsys.readouterr().out.strip() == made
    assert main(["token", "rotate", *words]) == 0
    assert capsys.readouterr().out.strip() != made


@pytest.mark.parametrize("days", ["0", "-1", "inf", "nan", "4000"])
def test_a_token_that_never_ends_or_never_begins_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], days: str
) -> None:
    file = tmp_path / "token.json"
    with pytest.raises(SystemExit, match="2"):
        main(["token", "rotate", "--token-file", str(file), "--days", days])
    assert "number of days" in capsys.readouterr().err
    assert not file.exists()


@pytest.mark.parametrize("days", ["0", "-1", "nan", "inf", "4000", "soon"])
def test_a_token_that_would_be_good_for_nothing_is_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], days: str
) -> None:
    file = tmp_path / "token.json"
    with pytest.raises(SystemExit) as ended:
        main(["token", "rotate", "--token-file", str(file), "--days", days])
    assert ended.value.code == 2
    assert "is not a number of days" in capsys.readouterr().err
    assert not file.exists()


def test_no_file_is_no_token(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_token(tmp_path / "none")
    with pytest.raises(BadRequest):
        write_token(Path("/proc/none/token"), new_token(1, 0))


def test_a_bucket_gives_its_burst_and_then_its_rate_to_each_client_apart() -> None:
    now = [0.0]
    limit = RateLimit(2.0, 3, clock=lambda: now[0])
    assert [limit.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert limit.take("b") == 0.0
    assert limit.wait("a") == 0.5
    now[0] += 0.5
    assert (limit.take("a"), limit.take("a")) == (0.0, 0.5)
    now[0] += 3_600
    assert [limit.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_a_crowd_of_strangers_takes_no_memory_for_ever() -> None:
    limit = RateLimit(1.0, 1)
    for number in range(10_000):
        limit.take(str(number))
    assert len(limit._buckets) <= 4_096


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("localhost.", True),
        ("localhost:1", True),
        ("LocalHost", True),
        ("[::1]:8970", True),
        ("console:8443", True),
        ("console:8970", False),
        ("console", False),
        ("localhost.evil", False),
        ("evil", False),
        ("", False),
        ("localhost:", False),
        ("localhost:123456", False),
        ("local host", False),
        ("[::1", False),
    ],
)
def test_a_host_is_known_by_its_whole_name(host: str, allowed: bool) -> None:
    assert is_host_allowed(host, ("localhost", "[::1]", "console:8443")) is allowed


def test_an_origin_is_ours_with_scheme_host_and_port() -> None:
    def allowed(method: str, *, secure: bool = False, **headers: str) -> bool:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return is_origin_allowed(method, {"host": "localhost:8970", **told}, secure=secure)

    assert allowed("POST", origin="http://localhost:8970")
    assert allowed("POST", origin="https://localhost:8970", secure=True)
    assert not allowed("POST", origin="https://localhost:8970")
    assert not allowed("POST", origin="http://localhost")
    assert not allowed("GET", origin="http://evil")
    assert allowed("GET")
    assert allowed("POST")
    assert allowed("GET", sec_fetch_site="cross-site")
    assert not allowed("POST", sec_fetch_site="cross-site")
    assert not allowed("DELETE", sec_fetch_site="same-site")
