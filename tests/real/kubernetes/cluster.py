"""A real kube-apiserver on a real etcd, as plain local processes. There is no kubelet: nodes and pods are written."""

import contextlib
import json
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its types are a package of their own
from tests.ports import free_ports
from tests.real.kubernetes.programs import Programs
from tests.standins.kubernetes.population import Population
from tests.standins.serving import ask

ADMIN, CONSOLE, STRANGER = "admin-token", "console-token", "stranger-token"
_READY_S = 90.0
_NOT_OURS = ("uid", "resourceVersion", "managedFields", "creationTimestamp", "deletionTimestamp")
_DOCS = Path(__file__).parents[3] / "docs/console-kubernetes.md"


class RealKubernetes:
    """``ask`` as an administrator; ``kubeconfig`` for whom it is told."""

    def __init__(self, directory: Path, programs: Programs) -> None:
        self.directory = directory
        self._programs = programs
        etcd, peer, port = free_ports(3)
        self._etcd, self._peer = f"http://127.0.0.1:{etcd}", f"http://127.0.0.1:{peer}"
        self._port = port
        self.url = f"https://127.0.0.1:{port}"
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        at = self.directory
        key = at / "accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        users = [(ADMIN, "admin", '"system:masters"'), (CONSOLE, "console", ""), (STRANGER, "stranger", "")]
        (at / "tokens.csv").write_text("".join(f"{token},{name},{name},{groups}\n" for token, name, groups in users))
        self._run(
            str(self._programs.etcd),
            f"--data-dir={at / 'etcd'}",
            f"--listen-client-urls={self._etcd}",
            f"--advertise-client-urls={self._etcd}",
            f"--listen-peer-urls={self._peer}",
            f"--initial-advertise-peer-urls={self._peer}",
            f"--initial-cluster=default={self._peer}",
            "--unsafe-no-fsync",
        )
        self._run(
            str(self._programs.kube_apiserver),
            f"--etcd-servers={self._etcd}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--cert-dir={at / 'certificates'}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://standin.invalid",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--token-auth-file={at / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount,Priority,TaintNodesByCondition",
        )
        until = time.monotonic() + _READY_S
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                if self.ask("GET", "/readyz")[0] == 200:
                    return
            time.sleep(0.2)
        raise AssertionError(f"kube-apiserver did not become ready: {(at / 'log').read_text()[-2000:]}")

    def ask(self, method: str, path: str, body: Any = None, token: str = ADMIN) -> tuple[int, Any]:
        """Status, and the body as JSON or as it is."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        context = ssl.create_default_context(cafile=str(self._certificate))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        code, data = ask(method, self.url + path, body, timeout_s=20, headers=headers, opener=opener)
        try:
            return code, json.loads(data)
        except ValueError:
            return code, data

    def write(self, population: Population) -> None:
        """Every node and pod of it, and what their kubelets would say."""
        for namespace in {namespace for namespace, _ in population.pods}:
            self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        for name, node in population.nodes.items():
            self._put("/api/v1/nodes", name, "Node", node)
        for (namespace, name), pod in population.pods.items():
            self._put(f"/api/v1/namespaces/{namespace}/pods", name, "Pod", pod)

    def allow(self) -> None:
        """Give the console the rights that the page in docs/ says it needs."""
        _, _, rest = _DOCS.read_text().partition("```yaml\n")
        role = yaml.safe_load(rest.partition("```")[0])
        group = "/apis/rbac.authorization.k8s.io/v1"
        binding = {
            "metadata": {"name": "operator-console"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "operator-console"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "console"}],
        }
        for kind, body in (("clusterroles", role), ("clusterrolebindings", binding)):
            code, answer = self.ask("POST", f"{group}/{kind}", body)
            assert code in (201, 409), answer

    def kubeconfig(self, name: str, token: str) -> Path:
        path = self.directory / name
        config = {
            "current-context": "real",
            "clusters": [
                {"name": "real", "cluster": {"server": self.url, "certificate-authority": str(self._certificate)}}
            ],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "real", "context": {"cluster": "real", "user": "user"}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def stop(self) -> None:
        for process in reversed(self._processes):
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()

    @property
    def _certificate(self) -> Path:
        return self.directory / "certificates/apiserver.crt"

    def _put(self, path: str, name: str, kind: str, one: dict[str, Any]) -> None:
        metadata = {key: value for key, value in one["metadata"].items() if key not in _NOT_OURS}
        code, made = self.ask("POST", path, {"kind": kind, "apiVersion": "v1", **one, "metadata": metadata})
        assert code == 201, made
        code, answer = self.ask("PUT", f"{path}/{name}/status", {**made, "status": one["status"]})
        assert code == 200, answer

    def _run(self, *command: str) -> None:
        with (self.directory / "log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            )


@contextlib.contextmanager
def real_kubernetes(programs: Programs) -> Iterator[RealKubernetes]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (Debian: apt-get install openssl)")
    with tempfile.TemporaryDirectory(prefix="real-k8s-") as directory:
        cluster = RealKubernetes(Path(directory), programs)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
