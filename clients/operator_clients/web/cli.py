"""``operator-web``: the command line of the gateway, and of its control token."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from operator_protocol.errors import DaemonUnreachable, OperatorError
from operator_protocol.stdio import fill_closed_streams

if TYPE_CHECKING:
    from operator_clients.web.settings import Settings

DONE = 0
REFUSED = 1
USAGE = 2
NO_DAEMON = 3
MAX_TOKEN_DAYS = 3_650
_NEEDS = ("fastapi", "httpx", "kubernetes", "msgspec", "prometheus_client", "pydantic", "uvicorn")
_EPILOG = """\
examples:
  operator-web                                      the daemon of this host, at http://127.0.0.1:8970/
  operator-web --endpoint east=tcp://db1:7411 --key east.key --metrics-url http://127.0.0.1:8428
  operator-web --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem --allow-host console.example.org
  operator-web token rotate                         a new control token; the old one is refused at once

exit codes: 0 ended · 1 refused · 2 usage · 3 a daemon that cannot be reached without a key
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the gateway until it is told to stop, or one subcommand. Returns the exit code."""
    fill_closed_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words[:1] == ["token"]:
            return _token(_token_parser().parse_args(words[1:]))
        return _serve(_parser().parse_args(words))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _NEEDS:
            raise
        print(f"operator-web: {error.name} is not installed (pip install 'operatord[web]')", file=sys.stderr)
        return REFUSED
    except DaemonUnreachable as error:
        print(f"operator-web: {error}", file=sys.stderr)
        return NO_DAEMON
    except OperatorError as error:
        print(f"operator-web: {error}", file=sys.stderr)
        return USAGE if error.code == "bad_request" else REFUSED


def _serve(options: argparse.Namespace) -> int:
    # Imported here so that --help and a usage error need none of the libraries.
    from operator_clients.web.serving import serve

    return serve(_settings(options), any_port=options.any_port, address_file=options.address_file)


def _settings(options: argparse.Namespace) -> "Settings":
    from operator_clients.web.settings import make_settings, read_file

    return make_settings(read_file(options.config), vars(options))


def _token(options: argparse.Namespace) -> int:
    import time

    from operator_clients.web.encoding import iso
    from operator_clients.web.security.token import new_token, read_token, write_token
    from operator_clients.web.settings import make_settings, read_file

    settings = make_settings(read_file(options.config), {"token_file": options.token_file, "token_days": options.days})
    now = time.time()
    if options.what == "rotate":
        token = new_token(settings.token_days, now)
        write_token(settings.token_file, token)
    else:
        token = read_token(settings.token_file)
    print(token.secret)
    ended = "expired" if token.expires_at <= now else "expires"
    print(f"operator-web: {ended} {iso(token.expires_at)}; in {settings.token_file}", file=sys.stderr)
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="operator-web",
        usage="operator-web [options] | operator-web token show|rotate [--token-file FILE] [--days N]",
        description="Serve the web console: the live demo, services, DevOps activity and Kubernetes.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--endpoint",
        metavar="[NAME=]EP",
        dest="endpoints",
        action="append",
        help="a daemon's runtime directory, or tcp://HOST:PORT; may be repeated (default: $OPERATOR_ENDPOINT, or ours)",
    )
    parser.add_argument("--key", metavar="FILE", help="key file for endpoints on TCP (default: $OPERATOR_KEY)")
    parser.add_argument("--config", metavar="FILE", help="TOML with [web]; flags win over it")
    listen = parser.add_argument_group("where it listens")
    listen.add_argument("--host", metavar="ADDRESS", help="address to listen at (default: 127.0.0.1)")
    listen.add_argument("--port", metavar="N", type=_port, help="0 takes a free one (default: 8970)")
    listen.add_argument("--any-port", action="store_true", help="take a free port if that one is taken")
    listen.add_argument("--tls-cert", metavar="FILE", help="certificate chain; with --tls-key it speaks HTTPS")
    listen.add_argument("--tls-key", metavar="FILE", help="its private key")
    listen.add_argument(
        "--behind-proxy", action="store_true", default=None, help="a proxy speaks TLS for it; believe its X-Forwarded-*"
    )
    listen.add_argument(
        "--allow-host",
        metavar="HOST",
        dest="allow_hosts",
        action="append",
        help="another name by which browsers call it; may be repeated",
    )
    listen.add_argument("--address-file", metavar="FILE", type=Path, help="write the address, with the token, to it")
    control = parser.add_argument_group("control")
    control.add_argument("--token-file", metavar="FILE", help="the control token (default: in the state directory)")
    control.add_argument("--read-only", action="store_true", default=None, help="take no commands at all")
    sources = parser.add_argument_group("sources")
    sources.add_argument("--metrics-url", metavar="URL", help="VictoriaMetrics or Prometheus, for the services")
    sources.add_argument("--catalogue", metavar="FILE", help="the services; 'services' and 'demo' are shipped")
    sources.add_argument(
        "--kubeconfig", metavar="FILE", help="default: in the cluster, else $KUBECONFIG, ~/.kube/config"
    )
    sources.add_argument("--kube-context", metavar="NAME", help="context of the kubeconfig")
    development = parser.add_argument_group("development only; what is made up says so on every page")
    development.add_argument("--mock-metrics", action="store_true", default=None, help="made-up figures of services")
    development.add_argument("--mock-k8s", action="store_true", default=None, help="a made-up Kubernetes cluster")
    return parser


def _token_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="operator-web token", description="Show the control token, or replace it by a new one."
    )
    parser.add_argument("what", choices=("show", "rotate"))
    parser.add_argument("--token-file", metavar="FILE", help="default: in the state directory")
    parser.add_argument("--days", metavar="N", type=_days, help="how long a new one is good for (default: 30)")
    parser.add_argument("--config", metavar="FILE", help="TOML with [web]")
    return parser


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 0 < days <= MAX_TOKEN_DAYS:  # nor nan
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days up to {MAX_TOKEN_DAYS}")
    return days


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65_536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)
