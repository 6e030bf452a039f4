"""``operatord keys``: who may attach over TCP. It changes files only; a running daemon notices by itself."""

import argparse
import json
import os
import socket
import sys
import time
from pathlib import Path

from operator_protocol.endpoint import ANY_HOSTS, parse_tcp, runtime_endpoint
from operator_protocol.errors import Conflict, OperatorError, Unavailable
from operator_protocol.keyfile import encode_key_file
from operator_protocol.records import to_body
from operator_protocol.requests import Requester, default_actor
from operatord.audit import FILE_NAME, AuditLog
from operatord.config import load_config
from operatord.keys import Key, KeyStore
from operatord.paths import ensure_private_dir, lock_holder, noted_state_dir, resolve_dirs

_ASK_S = 2.0


def run(args: argparse.Namespace) -> int:
    """Make, list or revoke."""
    os.umask(0o077)
    runtime_dir, state_dir = resolve_dirs(args.runtime_dir, args.state_dir)
    if args.state_dir is None:
        state_dir = noted_state_dir(runtime_dir) or state_dir
    store = KeyStore(state_dir)
    if args.what == "list":
        return _list(args, store)
    ensure_private_dir(state_dir, "--state-dir")
    if args.what == "revoke":
        key = store.revoke(args.name)
        _audit(state_dir, "key.revoked", key)
        _say(f"revoked {key.name}; a running daemon puts it out within a second")
        return 0
    return _new(args, store, state_dir, runtime_dir)


def _new(args: argparse.Namespace, store: KeyStore, state_dir: Path, runtime_dir: Path) -> int:
    config = load_config(args.config)
    file = Path(args.out or f"{args.name}.key")
    fd = _create(file)
    try:
        with os.fdopen(fd, "wb") as out:
            keys = store.create(args.name, "control" if args.control else "read")
            out.write(encode_key_file(keys))
    except BaseException as error:
        file.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise Unavailable(f"cannot write {file}: {error.strerror}", f"operatord keys revoke {args.name}") from error
        raise
    _audit(state_dir, "key.created", Key(keys.name, keys.role, keys.public, time.time()))
    _say(f"{keys.role} key {keys.name} written to {file}; whoever has this file is {keys.name}")
    address = _listens(runtime_dir) or config.listen.tcp
    if address:
        _say(f"use it with: operatorctl --endpoint {_reachable(address)} --key {file} status")
    else:
        _say('no address is set yet: put [listen] tcp = "tcp://HOST:7411" into the configuration, and start the daemon')
    return 0


def _create(file: Path) -> int:
    try:
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Conflict(f"{file} exists and is not overwritten", "choose another file with --out") from None
    except OSError as error:
        raise Unavailable(f"cannot write {file}: {error.strerror}", "choose another file with --out") from error


def _list(args: argparse.Namespace, store: KeyStore) -> int:
    keys = store.admitted()
    if args.json:
        print(json.dumps({"keys": [to_body(key) for key in keys]}, indent=2))
    elif not keys:
        _say("there are no keys; nobody is admitted over TCP")
    else:
        print(f"{'NAME':<32} {'ROLE':<8} {'CREATED':<20} PUBLIC KEY")
        for key in keys:
            created = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(key.created_at))
            print(f"{key.name:<32} {key.role:<8} {created:<20} {key.public}")
    return 0


def _listens(runtime_dir: Path) -> str:
    """Where a running daemon listens; empty if none runs, or not on TCP."""
    if lock_holder(runtime_dir) is None:
        return ""
    try:
        with Requester(runtime_endpoint(runtime_dir)) as requester:
            return str(requester.command("status", deadline_s=_ASK_S).get("listen") or "")
    except OperatorError:
        return ""


def _reachable(address: str) -> str:
    """Where a client finds a daemon that listens at ``address``."""
    host, port = parse_tcp(address)
    return f"tcp://{socket.gethostname()}:{port}" if host in ANY_HOSTS else address


def _audit(state_dir: Path, event: str, key: Key) -> None:
    # To rotate is for the daemon, which has the file open.
    audit = AuditLog(state_dir / FILE_NAME, on_error=_say, max_bytes=sys.maxsize)
    who = {"actor": default_actor(), "declared": True, "peer": f"uid {os.getuid()}, pid {os.getpid()}"}
    audit.write({"event": event, **who, "name": key.name, "role": key.role, "key": key.public})
    audit.close()


def _say(text: str) -> None:
    print(f"operatord: {text}", file=sys.stderr)
