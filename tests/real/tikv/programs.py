"""The real programs, built from their Go modules: ``python -m tests.real.tikv.programs``.

Built once: they are kept beside what Go itself keeps, outside the repository, in ``operatord-real`` of the user's cache
directory, or where ``OPERATOR_REAL_CACHE`` says. They are named after the sources they were built from.
"""

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
PD_MODULE = Path(__file__).parent / "pd-server"
LOAD_MODULE = ROOT / "deploy/tikv/go-ycsb"
_PD = "github.com/tikv/pd"
_GO = (1, 23)
_BUILD_S = 1_800.0


class Missing(Exception):
    """There is no Go to build them with; says so."""


class Failed(Exception):
    """Go could not build them; says what it said."""


class Programs(NamedTuple):
    pd_server: Path
    pd_version: str
    """Version of PD's module: its commit."""
    stores: Path
    go_ycsb: Path
    load_version: str


@functools.cache
def built() -> Programs:
    """Build what is not there yet. Raises ``Missing`` or ``Failed``."""
    go = shutil.which("go")
    if go is None:
        raise Missing("there is no go on the path: the real pd-server and go-ycsb are built from their Go modules")
    said = _run(go, "env", "GOVERSION", at=ROOT).removeprefix("go")
    if tuple(int(part) for part in said.split(".")[:2]) < _GO:
        raise Missing(f"go is {said}: {'.'.join(map(str, _GO))} or newer is needed")
    pd_version = _required(PD_MODULE, _PD)
    # PD reads its own version, which `go build` does not set; the commit says the rest.
    flags = f"-X {_PD}/pkg/versioninfo.PDReleaseVersion=v8.1.0-alpha"
    flags += f" -X {_PD}/pkg/versioninfo.PDGitHash={pd_version.rpartition('-')[2]}"
    # Its dashboard is a web page from a module of its own.
    pd_server = _program(go, PD_MODULE, f"{_PD}/cmd/pd-server", "-tags=without_dashboard", f"-ldflags={flags}")
    stores = _program(go, PD_MODULE, "./stores")
    go_ycsb = _program(go, LOAD_MODULE, "github.com/pingcap/go-ycsb/cmd/go-ycsb")
    return Programs(pd_server, pd_version, stores, go_ycsb, _required(LOAD_MODULE, "github.com/pingcap/go-ycsb"))


def _program(go: str, module: Path, package: str, *flags: str) -> Path:
    sources = sorted(path for path in module.rglob("*") if path.suffix in (".go", ".mod", ".sum"))
    told = hashlib.sha256(" ".join((package, *flags)).encode())
    for source in sources:
        told.update(source.read_bytes())
    target = _cache() / f"{package.rpartition('/')[2]}-{told.hexdigest()[:16]}"
    if not target.exists():
        print(f"building {package} ...", file=sys.stderr, flush=True)
        begun = time.monotonic()
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f"{target.name}.{os.getpid()}")
        # No C: what needs a C library is behind build tags.
        _run(go, "build", "-mod=readonly", "-trimpath", *flags, "-o", str(draft), package, at=module, CGO_ENABLED="0")
        draft.replace(target)
        print(f"built {package} in {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return target


def _cache() -> Path:
    named = os.environ.get("OPERATOR_REAL_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "operatord-real"


def _required(module: Path, path: str) -> str:
    lines = (line.split() for line in (module / "go.mod").read_text().splitlines())
    return next(words[words.index(path) + 1] for words in lines if path in words)


def _run(*command: str, at: Path, **environment: str) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=at,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_BUILD_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{' '.join(command[:2])} in {at.name} took more than {_BUILD_S:.0f} s") from error
    if done.returncode != 0:
        raise Failed(f"{' '.join(command[:2])} in {at.name} failed: {done.stderr.strip()[-1500:]}")
    return done.stdout.strip()


def main() -> int:
    """Exit status 0 when all are there, or there is no Go; 1 when they cannot be built."""
    try:
        programs = built()
    except Missing as missing:
        print(f"make test-real: {missing}", file=sys.stderr)
        return 0
    except Failed as failed:
        print(f"make test-real: {failed}", file=sys.stderr)
        return 1
    print(f"pd-server {programs.pd_version}, go-ycsb {programs.load_version}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
