"""Single objects as kube-apiserver 1.34, metrics-server and the kubelet write them, ``managedFields`` included."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

KI = 1024
OWNER_VERSIONS = {"ReplicaSet": "apps/v1", "DaemonSet": "apps/v1", "StatefulSet": "apps/v1", "Job": "batch/v1"}
_ZONES = ("a", "b", "c")


class Container(NamedTuple):
    """What a container is up to. ``state``: ``running``, ``waiting:REASON`` or ``terminated:REASON:CODE``."""

    name: str
    image: str
    state: str = "running"
    restarts: int = 0
    last_state: str = ""
    ready: bool = True


class Pod(NamedTuple):
    """The little that tells one pod from another."""

    number: int
    name: str
    namespace: str
    node: str
    phase: str
    owner_kind: str
    owner: str
    containers: Sequence[Container]
    age_s: float
    init_containers: Sequence[Container] = ()
    deleted: bool = False
    reason: str = ""
    """Of the pod itself: ``Evicted``, ``NodeLost``."""


def stamp(at: float) -> str:
    """RFC 3339 in whole seconds, as Kubernetes writes it."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def node(number: int, name: str, now: float, ready: str = "True", *, roles: Sequence[str] = ()) -> dict[str, Any]:
    """A node of 8 cores and 32 GiB. ``ready``: ``True``, ``False`` or ``Unknown``."""
    labels = {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/zone": f"zone-{_ZONES[number % 3]}",
        **{f"node-role.kubernetes.io/{role}": "" for role in roles},
    }
    capacity = {
        "cpu": "8",
        "ephemeral-storage": "101430960Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": "32858508Ki",
        "pods": "110",
    }
    allocatable = capacity | {"cpu": "7910m", "ephemeral-storage": "93478772582", "memory": "32086508Ki"}
    silent = ready == "Unknown"
    conditions = [
        _condition(kind, "Unknown" if silent else "False", now, reason)
        for kind, reason in (
            ("MemoryPressure", "KubeletHasSufficientMemory"),
            ("DiskPressure", "KubeletHasNoDiskPressure"),
            ("PIDPressure", "KubeletHasSufficientPID"),
        )
    ]
    why = {"True": "KubeletReady", "False": "KubeletNotReady", "Unknown": "NodeStatusUnknown"}[ready]
    conditions.append(_condition("Ready", ready, now, why))
    return {
        "metadata": {
            "name": name,
            "uid": _uid(1, number),
            "resourceVersion": str(900_000 + number),
            "creationTimestamp": stamp(now - 40 * 86_400),
            "labels": labels,
            "annotations": {
                "kubeadm.alpha.kubernetes.io/cri-socket": "unix:///run/containerd/containerd.sock",
                "node.alpha.kubernetes.io/ttl": "0",
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            },
            "managedFields": [
                _managed("kubelet", "v1", now, ("f:annotations", "f:labels"), ""),
                _managed("kubelet", "v1", now, ("f:allocatable", "f:capacity", "f:conditions", "f:images"), "status"),
            ],
        },
        "spec": {"podCIDR": f"10.{244 + number // 256}.{number % 256}.0/24", "providerID": f"standin://{name}"},
        "status": {
            "capacity": capacity,
            "allocatable": allocatable,
            "conditions": conditions,
            "addresses": [
                {"type": "InternalIP", "address": node_ip(number)},
                {"type": "Hostname", "address": name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "machineID": f"{number:032x}",
                "systemUUID": _uid(2, number),
                "bootID": _uid(3, number),
                "kernelVersion": "6.1.0-40-amd64",
                "osImage": "Debian GNU/Linux 12 (bookworm)",
                "containerRuntimeVersion": "containerd://1.7.24",
                "kubeletVersion": "v1.34.4",
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": "amd64",
            },
            "images": [
                {
                    "names": [
                        f"images.standin.invalid/part-{one}@sha256:{one:064x}",
                        f"images.standin.invalid/part-{one}:1",
                    ],
                    "sizeBytes": 40_000_000 + one,
                }
                for one in range(10)
            ],
        },
    }


def pod(one: Pod, now: float) -> dict[str, Any]:
    """An entry of a list of pods; alone it also has ``kind`` and ``apiVersion``."""
    born = now - one.age_s
    labels = {"app": one.owner.rpartition("-")[0] or one.name, "pod-template-hash": f"{one.number % 9973:x}"}
    metadata: dict[str, Any] = {
        "name": one.name,
        "generateName": f"{one.owner}-",
        "namespace": one.namespace,
        "uid": _uid(4, one.number),
        "resourceVersion": str(1_000_000 + one.number),
        "creationTimestamp": stamp(born),
        "labels": labels,
        "annotations": {"checksum/config": f"{one.number:064x}", "prometheus.io/scrape": "true"},
        "managedFields": [
            _managed("kube-controller-manager", "v1", born, ("f:metadata", "f:ownerReferences", "f:spec"), ""),
            _managed("kubelet", "v1", born, ("f:conditions", "f:containerStatuses", "f:podIP", "f:phase"), "status"),
        ],
    }
    if one.owner_kind:
        metadata["ownerReferences"] = [
            {
                "apiVersion": OWNER_VERSIONS[one.owner_kind],
                "kind": one.owner_kind,
                "name": one.owner,
                "uid": _uid(5, one.number),
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
    else:
        del metadata["generateName"]
    if one.deleted:
        metadata["deletionTimestamp"] = stamp(now - 5)
        metadata["deletionGracePeriodSeconds"] = 30
    return {"metadata": metadata, "spec": _spec(one), "status": _status(one, now, born)}


def _spec(one: Pod) -> dict[str, Any]:
    token = f"kube-api-access-{one.number % 46_000:05d}"
    spec: dict[str, Any] = {
        "volumes": [
            {
                "name": token,
                "projected": {
                    "sources": [
                        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                    ],
                    "defaultMode": 420,
                },
            },
            {"name": "config", "configMap": {"name": f"{one.owner}-config", "defaultMode": 420}},
        ],
        "containers": [
            {
                "name": container.name,
                "image": container.image,
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                "env": [{"name": f"SETTING_{letter}", "value": f"{letter}-{one.number}"} for letter in "ABCDEF"],
                "resources": {
                    "limits": {"cpu": "500m", "memory": "512Mi"},
                    "requests": {"cpu": "100m", "memory": "128Mi"},
                },
                "volumeMounts": [
                    {"name": "config", "mountPath": "/etc/config"},
                    {"name": token, "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
                ],
                "livenessProbe": _probe("/live"),
                "readinessProbe": _probe("/ready"),
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "imagePullPolicy": "IfNotPresent",
            }
            for container in one.containers
        ],
        "restartPolicy": "Never" if one.owner_kind == "Job" else "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "serviceAccount": "default",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "tolerations": [
            {"key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            for what in ("not-ready", "unreachable")
        ],
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }
    if one.init_containers:
        spec["initContainers"] = [
            {"name": container.name, "image": container.image, "resources": {}} for container in one.init_containers
        ]
    if one.node:
        spec["nodeName"] = one.node
    return spec


def _status(one: Pod, now: float, born: float) -> dict[str, Any]:
    status: dict[str, Any] = {"phase": one.phase, "qosClass": "Burstable"}
    if one.reason:
        status |= {"reason": one.reason, "message": f"The node had to let it go: {one.reason}."}
    if not one.node:
        message = "0/500 nodes are available: 500 Insufficient cpu."
        return status | {"conditions": [_pod_condition("PodScheduled", "False", born, "Unschedulable", message)]}
    up = "True" if one.phase == "Running" and all(container.ready for container in one.containers) else "False"
    status["conditions"] = [
        _pod_condition(kind, ready, born)
        for kind, ready in (
            ("PodReadyToStartContainers", "True"),
            ("Initialized", "True"),
            ("Ready", up),
            ("ContainersReady", up),
            ("PodScheduled", "True"),
        )
    ]
    digits = one.node.rpartition("-")[2]
    host = node_ip(int(digits) if digits.isdigit() else 0)
    status |= {"hostIP": host, "hostIPs": [{"ip": host}], "startTime": stamp(born)}
    if one.phase in ("Running", "Succeeded", "Failed") and one.reason != "Evicted":
        address = f"10.{100 + one.number // 65_536}.{one.number // 256 % 256}.{one.number % 256}"
        status |= {"podIP": address, "podIPs": [{"ip": address}]}
    if one.reason != "Evicted":
        if one.init_containers:
            status["initContainerStatuses"] = [_container_status(found, now, born) for found in one.init_containers]
        status["containerStatuses"] = [_container_status(found, now, born) for found in one.containers]
    return status


def _container_status(one: Container, now: float, born: float) -> dict[str, Any]:
    running = one.state == "running"
    status: dict[str, Any] = {
        "name": one.name,
        "state": _state(one.state, now, born),
        "lastState": _state(one.last_state, now, born) if one.last_state else {},
        "ready": one.ready and running,
        "restartCount": one.restarts,
        "image": one.image,
        "imageID": "" if one.state.startswith("waiting:Image") else f"{one.image.partition(':')[0]}@sha256:{'5a' * 32}",
        "started": running,
        "resources": {"limits": {"cpu": "500m", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
    }
    if running:
        status["containerID"] = f"containerd://{one.name.encode().hex():0>64.64}"
    return status


def _state(told: str, now: float, born: float) -> dict[str, Any]:
    kind, _, rest = told.partition(":")
    reason, _, code = rest.partition(":")
    if kind == "running":
        return {"running": {"startedAt": stamp(born + 2)}}
    if kind == "waiting":
        return {"waiting": {"reason": reason, "message": f"what is waited for: {reason}"}}
    return {
        "terminated": {
            "exitCode": int(code or 0),
            "reason": reason,
            "startedAt": stamp(now - 320),
            "finishedAt": stamp(now - 300),
            "containerID": f"containerd://{'c0' * 32}",
        }
    }


def event(number: int, about: Mapping[str, Any], kind: str, now: float, told: tuple[str, str, str]) -> dict[str, Any]:
    """``told``: type, reason, message."""
    metadata = about["metadata"]
    level, reason, message = told
    return {
        "metadata": {
            "name": f"{metadata['name']}.{number:016x}",
            "namespace": metadata.get("namespace", "default"),
            "uid": _uid(6, number),
            "resourceVersion": str(2_000_000 + number),
            "creationTimestamp": stamp(now - 600),
        },
        "involvedObject": {
            "kind": kind,
            "name": metadata["name"],
            "uid": metadata["uid"],
            "apiVersion": "v1",
            **({"namespace": metadata["namespace"]} if "namespace" in metadata else {}),
        },
        "reason": reason,
        "message": message,
        "source": {"component": "kubelet", "host": "node-0000"},
        "firstTimestamp": stamp(now - 600),
        "lastTimestamp": stamp(now - 60 + number % 50),
        "count": 3 + number % 9,
        "type": level,
        "eventTime": None,
        "reportingComponent": "kubelet",
        "reportingInstance": "node-0000",
    }


def node_metrics(name: str, cpu_nanocores: int, memory_ki: int, now: float) -> dict[str, Any]:
    """An entry of ``/apis/metrics.k8s.io/v1beta1/nodes``."""
    return {
        "metadata": {"name": name, "creationTimestamp": stamp(now), "labels": {"kubernetes.io/hostname": name}},
        "timestamp": stamp(now - 12),
        "window": "20.123s",
        "usage": {"cpu": f"{cpu_nanocores}n", "memory": f"{memory_ki}Ki"},
    }


def stats_summary(name: str, used_share: float, now: float, pods: int) -> dict[str, Any]:
    """What the kubelet answers on ``/stats/summary``: the node and each of its pods."""
    capacity = 101_430_960 * KI
    used = int(capacity * used_share)

    def disk(share: float) -> dict[str, Any]:
        return {
            "time": stamp(now),
            "availableBytes": capacity - used,
            "capacityBytes": capacity,
            "usedBytes": int(used * share),
            "inodesFree": 6_300_000,
            "inodes": 6_400_000,
            "inodesUsed": 100_000,
        }

    cpu = {"time": stamp(now), "usageNanoCores": 812_345_678, "usageCoreNanoSeconds": 12_345_678_901_234}
    memory = {"time": stamp(now), "availableBytes": 2**34, "usageBytes": 2**33, "workingSetBytes": 2**32}
    return {
        "node": {
            "nodeName": name,
            "startTime": stamp(now - 86_400),
            "cpu": cpu,
            "memory": memory,
            "network": {"time": stamp(now), "name": "eth0", "rxBytes": 1, "rxErrors": 0, "txBytes": 1, "txErrors": 0},
            "fs": disk(1.0),
            "runtime": {"imageFs": disk(0.5), "containerFs": disk(0.5)},
            "rlimit": {"time": stamp(now), "maxpid": 4_194_304, "curproc": 900},
        },
        "pods": [
            {
                "podRef": {"name": f"pod-{one}", "namespace": "default", "uid": _uid(7, one)},
                "startTime": stamp(now - 9_000),
                "containers": [
                    {"name": "main", "startTime": stamp(now), "cpu": cpu, "memory": memory, "rootfs": disk(0.01)}
                ],
                "cpu": cpu,
                "memory": memory,
                "volume": [{**disk(0.001), "name": "config"}],
                "ephemeral-storage": disk(0.02),
            }
            for one in range(pods)
        ],
    }


def node_ip(number: int) -> str:
    """Its address inside the cluster."""
    return f"192.0.{2 + number // 250}.{1 + number % 250}"


def _condition(kind: str, status: str, now: float, reason: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "lastHeartbeatTime": stamp(now - 20),
        "lastTransitionTime": stamp(now - 3_600),
        "reason": "NodeStatusUnknown" if status == "Unknown" else reason,
        "message": "Kubelet stopped posting node status." if status == "Unknown" else f"kubelet says: {reason}",
    }


def _pod_condition(kind: str, status: str, at: float, reason: str = "", message: str = "") -> dict[str, Any]:
    told: dict[str, Any] = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": stamp(at)}
    return told | ({"reason": reason, "message": message} if reason else {})


def _probe(path: str) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": 8080, "scheme": "HTTP"},
        "initialDelaySeconds": 5,
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def _managed(manager: str, version: str, at: float, fields: Sequence[str], subresource: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": version,
        "time": stamp(at),
        "fieldsType": "FieldsV1",
        "fieldsV1": {
            field: {
                ".": {},
                **{
                    f'k:{{"type":"{part}"}}': {".": {}, f"f:{part}": {}}
                    for part in ("Ready", "Initialized", "type", "name", "uid")
                },
            }
            for field in fields
        },
    }
    return told | ({"subresource": subresource} if subresource else {})


def _uid(kind: int, number: int) -> str:
    return f"{kind:08x}-0000-4000-8000-{number:012x}"
