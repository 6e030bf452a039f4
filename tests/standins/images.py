"""Images that carry the stand-ins under the names in the compose file, so that the file itself is what is tested.

Nothing is downloaded: the tree is made of the Python that runs the tests, a few tools of this host and the libraries
that they need, in about a second. The archive is kept in the directory for temporary files and made again only when
something in it has changed; an engine that has the images already is left as it is.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.standins.containers import PD_OPTIONS, TIKV_OPTIONS

HERE = Path(__file__).parent
COMPOSE_FILE = HERE.parents[1] / "deploy" / "tikv" / "docker-compose.yaml"
LABEL = "operatord.standin"
PROGRAMS = {
    "pd0": "/pd-server",
    "tikv0": "/tikv-server",
    "prometheus": "/bin/prometheus",
    "grafana": "/grafana",
    "ycsb": "/go-ycsb",
}
"""Compose service to the entry point of the real image."""

SOURCES = ("containers.py", "pd.py", "tikv.py", "ycsb.py", "serving.py", "fetch.sh")
STARTS = {"containers.py": "#!/usr/bin/python3\n"}
TOOLS = ("bash", "cat", "df", "fallocate", "ip", "ls", "nft", "ps", "rm", "sh", "sleep", "tc")
"""As far as this host has them: what a fault, a health check or a person runs inside a container."""

LEFT_OUT = {"ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages", "test", "tkinter", "turtledemo"}

OPTIONS: Mapping[str, str] = {PD_OPTIONS: "--disconnect-after-s 8 --raft-election-s 3", TIKV_OPTIONS: ""}
"""Shorter than PD's 20 s and TiKV's 10 s, and still far from what the daemon should need."""


_KEPT_S = 7 * 86_400.0
"""Archives of other versions are of use as long as somebody goes back and forth between them."""


class ForeignImage(Exception):
    """The engine has an image of that name which is not a stand-in: it is not replaced."""


def build(environment: Mapping[str, str], options: Mapping[str, str] = OPTIONS) -> None:
    """Make the engine of ``environment`` have every image of the compose file. Raises ``ForeignImage``.

    Prometheus is the real one of this host; without it there is no such image, and starting that service fails.
    """
    images = names(environment)
    for service, program in PROGRAMS.items():
        real = shutil.which("prometheus") if service == "prometheus" else None
        if service == "prometheus" and real is None:
            continue
        archive = _archive({program: Path(real)} if real else {})
        key = hashlib.sha256(f"{archive.name} {program} {sorted(options.items())}".encode()).hexdigest()[:16]
        there = _label(images[service], environment)
        if there == key:
            continue
        if there == "":
            raise ForeignImage(f"{images[service]} is there and is not a stand-in")
        changes = [f'ENTRYPOINT ["{program}"]', f"LABEL {LABEL}={key}"]
        changes += [f'ENV {name}="{value}"' for name, value in options.items()]
        words = [word for change in changes for word in ("--change", change)]
        _docker(["import", *words, str(archive), images[service]], environment)


def names(environment: Mapping[str, str]) -> dict[str, str]:
    """Compose service to image."""
    words = ["compose", "-f", str(COMPOSE_FILE), "--profile", "*", "config", "--format", "json"]
    services = json.loads(_docker(words, environment))["services"]
    return {name: service["image"] for name, service in services.items()}


def remove(environment: Mapping[str, str]) -> None:
    """The stand-ins, from an engine that others use too."""
    found = _docker(["images", "--quiet", "--filter", f"label={LABEL}"], environment).split()
    if found:
        _docker(["rmi", "--force", *sorted(set(found))], environment)


def _label(image: str, environment: Mapping[str, str]) -> str | None:
    """None when there is no such image, empty when it is not one of ours."""
    words = ["images", "--quiet", image]
    if not _docker(words, environment).strip():
        return None
    labels = json.loads(_docker(["image", "inspect", "--format", "{{json .Config.Labels}}", image], environment))
    return str((labels or {}).get(LABEL, ""))


def _docker(words: Sequence[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(["docker", *words], env=dict(environment), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"docker {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _archive(more: Mapping[str, Path]) -> Path:
    """The tree as a tar file, with some programs of this host more; made when there is none of that content."""
    files = dict(_files(more))
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        if path.suffix == ".pyc":
            continue  # these come and go, with the same content
        there = path.stat()
        digest.update(f"{name} {path} {there.st_size} {there.st_mtime_ns}\n".encode())
    for source in (*SOURCES, Path(__file__).name):
        digest.update((HERE / source).read_bytes())
    directory = Path(tempfile.gettempdir()) / f"operatord-standins-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    target = directory / f"{digest.hexdigest()[:24]}{'-'.join(['', *(Path(one).name for one in more)])}.tar"
    if not target.exists():
        draft = target.with_name(f"{target.name}.{os.getpid()}")
        with tarfile.open(draft, "w") as tar:
            _write(tar, files)
        draft.replace(target)
        for old in directory.glob("*.tar"):
            if old.stat().st_mtime < time.time() - _KEPT_S:
                old.unlink(missing_ok=True)
    return target


def _write(tar: tarfile.TarFile, files: Mapping[str, Path]) -> None:
    made: set[str] = set()

    def directory(name: str) -> None:
        if name in made or name in {"", "."}:
            return
        directory(str(Path(name).parent))
        made.add(name)
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
        tar.addfile(entry)

    def text(name: str, content: str, mode: int = 0o644) -> None:
        directory(str(Path(name).parent))
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content.encode()), mode
        tar.addfile(entry, io.BytesIO(content.encode()))

    def link(name: str, to: str) -> None:
        directory(str(Path(name).parent))
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = tarfile.SYMTYPE, to
        tar.addfile(entry)

    for name in ("tmp", "data", "prometheus", "proc", "sys", "dev", "etc", "run"):
        directory(name)
    for name, path in sorted(files.items()):
        directory(str(Path(name).parent))
        entry = tar.gettarinfo(path, arcname=name)
        entry.type, entry.linkname, entry.uid, entry.gid, entry.uname, entry.gname = tarfile.REGTYPE, "", 0, 0, "", ""
        entry.size = path.stat().st_size
        with path.open("rb") as content:
            tar.addfile(entry, content)
    text("etc/passwd", "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    text("etc/nsswitch.conf", "hosts: files dns\n")
    link("usr/bin/python3", str(_interpreter()))
    for source in SOURCES:
        text(f"standins/{source}", STARTS.get(source, "") + (HERE / source).read_text(), 0o755)
    for program in ("pd-server", "tikv-server", "go-ycsb", "grafana"):
        link(program, "/standins/containers.py")
    for program in ("curl", "wget"):
        link(f"usr/bin/{program}", "/standins/fetch.sh")


def _interpreter() -> Path:
    """The one behind a virtual environment."""
    return Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}").resolve()


def _files(more: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    """Name in the archive, and the file of this host."""
    programs = {str(_interpreter()): _interpreter(), **more}
    for tool in TOOLS:
        found = shutil.which(tool)
        if found:
            programs[f"/bin/{tool}"] = Path(found).resolve()
    library = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}))
    modules = list(_modules(library))
    binaries = [*programs.values(), *(path for path in modules if path.suffix == ".so")]
    for name, path in programs.items():
        yield name.lstrip("/"), path
    for path in modules:
        yield str(path).lstrip("/"), path
    for path in _libraries(binaries):
        yield str(path).lstrip("/"), path.resolve()


def _modules(library: Path) -> Iterator[Path]:
    for where, directories, files in os.walk(library):
        directories[:] = sorted(one for one in directories if one not in LEFT_OUT and not one.startswith("config-"))
        # Compiled modules too: a health check should not cost more than it must.
        yield from (Path(where, one) for one in sorted(files) if not one.endswith((".a", ".opt-1.pyc", ".opt-2.pyc")))


def _libraries(binaries: Iterable[Path]) -> set[Path]:
    """What they are linked with, as this host finds it; and what names are looked up with, which is loaded late."""
    said = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False).stdout
    words = (line.split() for line in said.splitlines() if not line.endswith(":"))
    found = {Path(word) for line in words for word in line if word.startswith("/")}
    for directory in {path.parent for path in found}:
        found |= {path for path in (directory / "libnss_dns.so.2", directory / "libnss_files.so.2") if path.exists()}
    return found
