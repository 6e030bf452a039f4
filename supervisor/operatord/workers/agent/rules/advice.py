"""The actions that a diagnosis may recommend, with the risk that each has: nobody who recommends one sets its risk."""

from collections.abc import Mapping

from operator_protocol.models import Risk

COMMON: Mapping[str, Risk] = {
    "escalate": "read",
    "inspect_host": "read",
    "inspect_memory": "read",
    "inspect_network": "read",
    "inspect_replication": "read",
    "inspect_disk": "read",
    "lower_rate": "disruptive",
}
VALKEY: Mapping[str, Risk] = {
    **COMMON,
    "start_server": "safe",
    "resume_server": "safe",
    "restart_server": "disruptive",
    "failover": "disruptive",
    "unpause_clients": "safe",
}
TIKV: Mapping[str, Risk] = {
    **COMMON,
    "start_container": "safe",
    "resume": "safe",
    "restart_container": "disruptive",
    "remove_evict_leader": "safe",
}
