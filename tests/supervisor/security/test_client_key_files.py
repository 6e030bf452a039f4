"""What a client is told about its endpoint and its key file."""

from pathlib import Path

import pytest

from operator_protocol.endpoint import parse_tcp, resolve_endpoint
from operator_protocol.errors import BadRequest, DaemonUnreachable
from operator_protocol.keyfile import encode_key_file, read_key_file
from operatord.keys import KeyStore

ADDRESS = "tcp://127.0.0.1:7411"


def key_file(directory: Path) -> Path:
    file = directory / "console.key"
    file.touch(0o600)
    file.write_bytes(encode_key_file(KeyStore(directory).create("console", "control")))
    return file


def test_control_is_one_port_above_frames(tmp_path: Path) -> None:
    endpoint = resolve_endpoint(ADDRESS, {}, key=str(key_file(tmp_path)))
    assert (endpoint.frames, endpoint.control, endpoint.label) == (ADDRESS, "tcp://127.0.0.1:7412", ADDRESS)
    assert endpoint.curve is not None
    assert (endpoint.curve.name, endpoint.curve.role) == ("console", "control")
    assert endpoint.curve.secret not in repr(endpoint)


def test_endpoint_and_key_may_come_from_the_environment(tmp_path: Path) -> None:
    environment = {"OPERATOR_ENDPOINT": ADDRESS, "OPERATOR_KEY": str(key_file(tmp_path))}
    assert resolve_endpoint(None, environment).curve is not None


def test_tcp_without_a_key_is_no_daemon_that_would_answer() -> None:
    with pytest.raises(DaemonUnreachable, match="key"):
        resolve_endpoint(ADDRESS, {})


def test_a_key_without_tcp_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="--key"):
        resolve_endpoint(str(tmp_path), {}, key=str(key_file(tmp_path)))
    assert resolve_endpoint(str(tmp_path), {"OPERATOR_KEY": "whatever"}).curve is None


@pytest.mark.parametrize("address", ["tcp://h:1", "tcp://10.0.0.1:65534", "tcp://[::1]:7411", "tcp://*:7411"])
def test_addresses_that_can_be(address: str) -> None:
    host, port = parse_tcp(address)
    assert address == f"tcp://{host}:{port}"


@pytest.mark.parametrize(
    "address",
    ["", "tcp://", "tcp://h", "tcp://h:", "tcp://:1", "tcp://h:0", "tcp://h:65535", "tcp://h:x", "tcp://h:1/x",
     "tcp://::1:7411", "tcp://[]:1", "udp://h:1", "tcp://a;b:1", "tcp://h:²", "tcp://-:1", "tcp://ä:1", "tcp://a'b:1"],
)  # fmt: skip
def test_addresses_that_cannot_be(address: str) -> None:
    with pytest.raises(BadRequest):
        parse_tcp(address)


@pytest.mark.parametrize("open_to", [0o640, 0o604, 0o644, 0o660, 0o620])
def test_a_key_file_that_others_can_use_is_refused_with_the_remedy(tmp_path: Path, open_to: int) -> None:
    file = key_file(tmp_path)
    file.chmod(open_to)
    with pytest.raises(BadRequest, match=f"mode {open_to:04o}") as refused:
        read_key_file(str(file))
    assert refused.value.hint == f"chmod 600 {file}"


def test_a_key_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"nowhere\.key.*No such file"):
        read_key_file(str(tmp_path / "nowhere.key"))
    with pytest.raises(BadRequest):
        read_key_file(str(tmp_path))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"operator_key": 1', '"operator_key": 2'),
        ('"operator_key"', '"key"'),
        ('"control"', '"root"'),
        ('"secret": "', '"secret": "x'),
        ("{", "["),
        ("{", ""),
    ],
)
def test_a_damaged_key_file_is_refused_without_showing_what_is_in_it(tmp_path: Path, old: str, new: str) -> None:
    file = key_file(tmp_path)
    secret = read_key_file(str(file)).secret
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(BadRequest) as refused:
        read_key_file(str(file))
    assert str(file) in refused.value.message
    assert secret not in str(refused.value)


@pytest.mark.parametrize("endpoint", ["udp://h:1", "http://h", "tcp://*:7411"])
def test_what_no_client_can_connect_to_is_no_endpoint(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(BadRequest):
        resolve_endpoint(endpoint, {}, key=str(key_file(tmp_path)))


@pytest.mark.parametrize("content", ["[" * 16_000, "{", "[]", "\x00"])
def test_what_is_no_key_file_is_said_so(tmp_path: Path, content: str) -> None:
    file = tmp_path / "x.key"
    file.touch(0o600)
    file.write_text(content)
    with pytest.raises(BadRequest, match="is not a key file"):
        read_key_file(str(file))


def test_a_home_of_nobody_is_a_file_that_is_not_there() -> None:
    with pytest.raises(BadRequest, match="cannot read the key file ~no-such-user/x"):
        read_key_file("~no-such-user/x")
