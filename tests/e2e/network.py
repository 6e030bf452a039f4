"""What the kernel says of networks and rules, by the commands of the system."""

import subprocess

from operatord.isolation.names import MEMBER_LINK, Names, inside


def told(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def fault_rules(names: Names) -> list[str]:
    """The rules of faults in a hub, without their counters, and the queues on links."""
    if names.hub not in names.namespaces_there():
        return []
    rules = told(*inside(names.hub, ["nft", "--stateless", "list", "ruleset"])).splitlines()
    found = [line.strip() for line in rules if "comment" in line]
    for namespace in names.namespaces_there():
        found += [line for line in told("tc", "-n", namespace, "qdisc").splitlines() if "noqueue" not in line]
    return found


def member_queue(names: Names, member: str) -> str:
    return told("tc", "-n", names.namespace(member), "qdisc", "show", "dev", MEMBER_LINK)


def heard_from_kernel() -> list[str]:
    """Namespaces, links, routes and firewall of this host, a line each, with the command that said it."""
    commands = ("ip netns", "ip -o link", "ip route show table all", "ip -o addr", "nft list ruleset")
    return [f"{command}: {line}" for command in commands for line in told(*command.split()).splitlines()]


def subnet_of(address: str) -> str:
    """What all addresses of its /24 begin with."""
    return address.rpartition(".")[0] + "."
