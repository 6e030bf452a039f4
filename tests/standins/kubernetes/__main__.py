"""``python -m tests.standins.kubernetes --nodes 500 --pods 10000``: prints its URL, serves until TERM.

``--kubeconfig FILE`` writes one that leads to it. ``PUT /standin/fault {"kind": "slow", "seconds": 3}`` breaks it; the
kinds are those of ``faults``.
"""

import argparse
from pathlib import Path

from tests.standins.serving import until_stopped

from .api import KubernetesApi
from .population import Population


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.standins.kubernetes")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--nodes", type=int, default=500)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--kubeconfig", type=Path)
    options = parser.parse_args()
    api = KubernetesApi(Population(options.nodes, options.pods), options.port)
    if options.kubeconfig:
        api.kubeconfig(options.kubeconfig)
    print(api.url, flush=True)
    until_stopped()


if __name__ == "__main__":
    main()
