"""The real programs, built from their Go modules: ``python -m tests.real.kubernetes.programs``.

Kept where those of ``tests.real.tikv.programs`` are. kube-apiserver takes some minutes.
"""

import functools
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from tests.real.tikv import programs as go
from tests.real.tikv.programs import Failed, Missing

MODULE = Path(__file__).parent / "kube-apiserver"
_KUBERNETES = "k8s.io/kubernetes"
_GO = (1, 24)


class Programs(NamedTuple):
    kube_apiserver: Path
    etcd: Path
    version: str


@functools.cache
def built() -> Programs:
    """Build what is not there yet. Raises ``Missing`` or ``Failed``."""
    program = shutil.which("go")
    if program is None:
        raise Missing("there is no go on the path: the real kube-apiserver is built from its Go module")
    said = go._run(program, "env", "GOVERSION", at=go.ROOT).removeprefix("go")
    if tuple(int(part) for part in said.split(".")[:2]) < _GO:
        raise Missing(f"go is {said}: {'.'.join(map(str, _GO))} or newer is needed")
    version = go._required(MODULE, _KUBERNETES)
    # It parses its own version when it starts.
    flags = f"-ldflags=-s -w -X k8s.io/component-base/version.gitVersion={version}"
    etcd = go._program(program, MODULE, "go.etcd.io/etcd/server/v3")
    return Programs(go._program(program, MODULE, f"{_KUBERNETES}/cmd/kube-apiserver", flags), etcd, version)


def main() -> int:
    """Exit status 0 when both are there, or there is no Go; 1 when they cannot be built."""
    try:
        programs = built()
    except (Missing, Failed) as error:
        print(f"make test-real: {error}", file=sys.stderr)
        return 1 if isinstance(error, Failed) else 0
    print(f"kube-apiserver {programs.version}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
