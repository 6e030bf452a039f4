"""The programs that the stand-in images start: they take the flags of the real ones, as the compose file gives them.

Flags that a stand-in has no use for (``--config``) must point at what the real one would need: a file that is missing
is an error here too.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

if __package__:
    from tests.standins import pd, tikv, ycsb
    from tests.standins.serving import Answer, Request, log, serve, until_stopped
else:  # as a program in a container, beside the others
    import pd  # type: ignore[import-not-found, no-redef]  # only there
    import tikv  # type: ignore[import-not-found, no-redef]  # only there
    import ycsb  # type: ignore[import-not-found, no-redef]  # only there
    from serving import (  # type: ignore[import-not-found, no-redef]  # only there
        Answer,
        Request,
        log,
        serve,
        until_stopped,
    )

STORE_IDS = {"tikv0": 1, "tikv1": 4, "tikv2": 9_007_199_254_740_994}
"""With gaps, as PD gives them out; the last one is beyond the integers that JavaScript holds for safe, and still a
double, since PD reads the ids of requests as such."""

PD_OPTIONS = "STANDIN_PD_OPTIONS"
"""Set in the image: words to add for the stand-in PD."""
TIKV_OPTIONS = "STANDIN_TIKV_OPTIONS"


def pd_words(words: Sequence[str]) -> list[str]:
    """What the stand-in is told for these flags of ``pd-server``."""
    parser = argparse.ArgumentParser(prog="pd-server", allow_abbrev=False)
    for flag in ("--name", "--data-dir", "--client-urls", "--advertise-client-urls", "--initial-cluster"):
        parser.add_argument(flag, required=True)
    for flag in ("--peer-urls", "--advertise-peer-urls", "--config"):
        parser.add_argument(flag, default="")
    options = parser.parse_args(words)
    config(parser, options.config)
    # Members are known by their peer URLs; clients come to the same host on the client port.
    port = options.client_urls.rpartition(":")[2]
    members = dict(part.split("=", 1) for part in options.initial_cluster.split(","))
    peers = ",".join(f"{name}={url.rpartition(':')[0]}:{port}" for name, url in members.items())
    data = Path(options.data_dir)
    data.mkdir(parents=True, exist_ok=True)
    found = ["--name", options.name, "--listen", options.client_urls.partition("//")[2], "--peers", peers]
    return [*found, "--data", str(data / "stand-in.json")]


def tikv_words(words: Sequence[str]) -> list[str]:
    """What the stand-in is told for these flags of ``tikv-server``."""
    parser = argparse.ArgumentParser(prog="tikv-server", allow_abbrev=False)
    for flag in ("--addr", "--advertise-addr", "--status-addr", "--advertise-status-addr", "--data-dir"):
        parser.add_argument(flag, required=True)
    parser.add_argument("--pd-endpoints", "--pd", dest="pd", required=True)
    parser.add_argument("--config", default="")
    options = parser.parse_args(words)
    config(parser, options.config)
    Path(options.data_dir).mkdir(parents=True, exist_ok=True)
    name = options.advertise_addr.partition(":")[0]
    found = ["--store-id", str(STORE_IDS[name]), "--addr", options.addr, "--addr-advertised", options.advertise_addr]
    found += ["--status-addr", options.status_addr, "--status-advertised", options.advertise_status_addr]
    urls = ",".join(f"http://{endpoint}" for endpoint in options.pd.split(","))
    return [*found, "--pd", urls, "--data-dir", options.data_dir]


def config(parser: argparse.ArgumentParser, path: str) -> None:
    if path and not Path(path).is_file():
        parser.error(f"no configuration at {path}")


def grafana() -> None:
    """Serve what Grafana's health check asks, and tell a person who looks what this is."""

    def handle(request: Request) -> Answer:
        if request.path == "/api/health":
            return Answer(200, {"database": "ok", "version": "stand-in", "commit": "stand-in"})
        return Answer(200, b"This is a stand-in for Grafana: there are no dashboards in it.\n", "text/plain")

    serve("0.0.0.0:3000", handle)
    log("INFO", "grafana", "the stand-in for Grafana is listening")
    until_stopped()


def main() -> None:
    name, words = Path(sys.argv[0]).name, sys.argv[1:]
    if name == "pd-server":
        sys.argv[1:] = [*pd_words(words), *os.environ.get(PD_OPTIONS, "").split()]
        pd.main()
    elif name == "tikv-server":
        sys.argv[1:] = [*tikv_words(words), *os.environ.get(TIKV_OPTIONS, "").split()]
        tikv.main()
    elif name == "go-ycsb":
        ycsb.main()
    elif name == "grafana":
        grafana()
    else:
        sys.exit(f"no stand-in for {name}")


if __name__ == "__main__":
    main()
