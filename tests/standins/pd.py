"""A stand-in for ``pd-server``: the shapes of its HTTP API, with real elections and real deadlines, and nothing behind.

Three of them elect a leader by majority; stand-in stores heartbeat to all; the leader moves the leadership of regions
away from stores that fell silent or are evicted. Every answer says so in a header, ``X-Stand-In``.
"""

import argparse
import json
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

if __package__:
    from tests.standins.serving import Answer, Request, ask, encrypt, log, serve, until_stopped
else:  # as a program in a container, beside serving.py
    from serving import (  # type: ignore[import-not-found, no-redef]  # only there
        Answer,
        Request,
        ask,
        encrypt,
        log,
        serve,
        until_stopped,
    )

PREFIX = "/pd/api/v1"
LOCAL = ("/health", "/ping", "/status", "/version")
OF_STORES = ("/store", "/region", "/stats", "/schedulers", "/scheduler-config", "/operators")
"""What cannot be told before a store has joined."""
REGIONS = 12
EACH = {"count": 1, "size": 1, "keys": 100}
"""Of a region: MiB, and keys."""
NOTHING = dict.fromkeys(("cpu_usage", "written_bytes", "read_bytes", "written_keys", "read_keys"), 0)
NO_REGION = {"id": 0, "start_key": "", "end_key": "", "leader": {"role_name": ""}, **NOTHING} | {
    "approximate_size": 0,
    "approximate_keys": 0,
}
"""What PD says of a region that it does not know."""
FIRST_MEMBER = 9_223_372_036_854_775_000
CLUSTER = 7_301_234_567_890_123_456
EVICT = "evict-leader-scheduler"
SCHEDULERS = ["balance-leader-scheduler", "balance-region-scheduler", "balance-hot-region-scheduler"]
DAY_S = 86_400.0
VOTE_S = 1.5
"""How long a vote is waited for: a leader that is late with its own is not to lose what only it knows. PD's own lease
is 3 s."""
NO_SUCH_PAGE = Answer(404, b"404 page not found\n", "text/plain")


def size(count: float) -> str:
    """As PD writes sizes."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024 or unit == "TiB":
            return f"{count:.4g}{unit}"
        count /= 1024
    raise AssertionError


def duration(seconds: float) -> str:
    """As Go writes durations."""
    whole, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(whole), 60)
    text = f"{rest:.9f}".rstrip("0").rstrip(".") + "s"
    return (f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else "") + text


def rfc3339(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1e9):09d}Z"


class PD:
    """One member. All state is under one lock; requests to others are made without it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.name: str = options.name
        self.peers: dict[str, str] = dict(part.split("=", 1) for part in options.peers.split(","))
        self.ids = {name: FIRST_MEMBER + index for index, name in enumerate(sorted(self.peers))}
        self.leader = ""
        self.lock = threading.RLock()
        self.stores: dict[int, dict[str, Any]] = {}
        """Store id to its last heartbeat, with ``at``."""
        self.regions: dict[int, int] = {}
        """Region id to the store that leads it; 0 for none."""
        self.term: dict[int, int] = {}
        self.config: dict[str, Any] = {"schedule.max-store-down-time": "30m0s", "replication.max-replicas": 3}
        self.evicted: list[int] = []
        self.revision = 0
        self.decided_by = ""
        """What was decided, by which number and by whom: who hears of a later one takes it over."""
        self.operators: dict[int, dict[str, Any]] = {}
        self.data = Path(options.data)
        if self.data.is_file():
            saved = json.loads(self.data.read_text())
            self.take(saved)

    # election

    def vote(self) -> dict[str, Any]:
        """Whom it holds for the leader, and what a member that missed it is to know, as from etcd."""
        with self.lock:
            return {"leader": self.leader, "stores": self.stores, "regions": self.regions, "decided": self.decided()}

    def elect(self) -> None:
        """Once: who is there, and who of them leads."""
        reported: dict[str, dict[str, Any]] = {}

        def look(name: str) -> None:
            try:
                _, data = ask("GET", self.peers[name] + "/standin/vote", timeout_s=max(VOTE_S, self.options.election_s))
                reported[name] = json.loads(data)
            except (OSError, ValueError):
                pass

        threads = [threading.Thread(target=look, args=(name,), daemon=True) for name in self.peers if name != self.name]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with self.lock:
            for vote in reported.values():
                self.catch_up(vote)
            alive = {self.name: self.leader, **{name: vote["leader"] for name, vote in reported.items()}}
            if len(alive) * 2 <= len(self.peers):
                chosen = ""
            else:
                # A member that was frozen still holds itself for the leader: most votes count.
                votes = Counter(leader for leader in alive.values() if leader in alive)
                chosen = min(votes, key=lambda leader: (-votes[leader], leader)) if votes else min(alive)
            if chosen != self.leader:
                log("INFO", "leadership.go:1", "leader changed", old=self.leader or "none", new=chosen or "none")
            self.leader = chosen

    def catch_up(self, vote: dict[str, Any]) -> None:
        for text, store in vote["stores"].items():
            self.stores.setdefault(int(text), store)
        if not self.regions:
            self.regions = {int(region): store for region, store in vote["regions"].items()}
        self.decide(vote["decided"])

    def follow_elections(self) -> None:
        while True:
            self.elect()
            if self.leader == self.name:
                self.lead()
            time.sleep(self.options.election_s)

    def lead(self) -> None:
        """Give each region a leader among the stores that live and may."""
        with self.lock:
            now = time.time()
            alive = [one for one, store in self.stores.items() if now - store["at"] < self.options.raft_election_s]
            able = sorted(one for one in alive if one not in self.evicted)
            if not self.regions and len(able) >= self.config["replication.max-replicas"]:
                self.regions = {100 + 2 * number: 0 for number in range(REGIONS)}
            for region, store in self.regions.items():
                if (store not in alive or store in self.evicted) and len(alive) * 2 > len(self.stores):
                    choices = able or sorted(alive)
                    led = {one: list(self.regions.values()).count(one) for one in choices}
                    self.regions[region] = min(choices, key=lambda one: (led[one], one))
                    self.term[region] = self.term.get(region, 5) + 1
            self.balance(able)

    def balance(self, able: list[int]) -> None:
        """Move one region from the store that leads most to the one that leads least."""
        led = {one: [region for region, store in self.regions.items() if store == one] for one in able}
        if not led or not self.regions:
            return
        most, least = max(led, key=lambda one: len(led[one])), min(led, key=lambda one: len(led[one]))
        if len(led[most]) - len(led[least]) > 2:
            # The last: what was just transferred by hand is one of the first.
            moved = led[most][-1]
            self.regions[moved] = least
            self.term[moved] = self.term.get(moved, 5) + 1

    # stores

    def heartbeat(self, beat: dict[str, Any]) -> Answer:
        if beat["id"] not in self.stores:
            self.spread(beat)
        with self.lock:
            known = self.stores.get(beat["id"], {})
            self.stores[beat["id"]] = {**beat, "at": time.time(), "start": known.get("start", beat["start"])}
            if self.leader != self.name:
                # What the leader decided comes with the stores, so that whoever leads next goes on from there.
                for region, store in beat.get("regions", {}).items():
                    self.regions[int(region)] = store
                return Answer(200, {})
            return Answer(200, {"regions": self.regions, "terms": self.term, "stores": self.addresses()})

    def spread(self, beat: dict[str, Any]) -> None:
        """A store that joins is known to every member that answers before anybody is told of it, as with etcd."""
        urls = [url for name, url in self.peers.items() if name != self.name]
        threads = [threading.Thread(target=tell, args=(url + "/standin/joined", beat), daemon=True) for url in urls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def joined(self, beat: dict[str, Any]) -> Answer:
        with self.lock:
            self.stores.setdefault(beat["id"], {**beat, "at": time.time()})
        return Answer(200, {})

    def addresses(self) -> dict[int, str]:
        return {one: store["address"] for one, store in self.stores.items()}

    def state(self, store: dict[str, Any]) -> str:
        silent_s = time.time() - store["at"]
        if silent_s > self.options.down_s:
            return "Down"
        return "Disconnected" if silent_s > self.options.disconnect_after_s else "Up"

    def store(self, store_id: int) -> dict[str, Any]:
        store = self.stores[store_id]
        led = sum(leader == store_id for leader in self.regions.values())
        regions = len(self.regions)
        status = {
            "capacity": size(store["capacity"]),
            "available": size(store["available"]),
            "used_size": size(store["used"]),
            "leader_count": led,
            "leader_weight": 1,
            "leader_score": led,
            "leader_size": led,
            "region_count": regions,
            "region_weight": 1,
            "region_score": float(regions),
            "region_size": regions,
            "slow_score": 1,
            "slow_trend": {"cause_value": 0.0, "cause_rate": 0.0, "result_value": 0.0, "result_rate": 0.0},
            "start_ts": rfc3339(store["start"]),
            "last_heartbeat_ts": rfc3339(store["at"]),
            "uptime": duration(max(0.0, store["at"] - store["start"])),
        }
        return {
            "store": {
                "id": store_id,
                "address": store["address"],
                "version": "8.5.5",
                "peer_address": store["address"],
                "status_address": store["status_address"],
                "git_hash": "stand-in",
                "start_timestamp": int(store["start"]),
                "deploy_path": "/",
                "last_heartbeat": int(store["at"] * 1e9),
                "node_state": 1,
                "state_name": self.state(store),
            },
            "status": status,
        }

    def region(self, region_id: int) -> dict[str, Any]:
        number = sorted(self.regions).index(region_id)
        peers: list[dict[str, Any]] = [
            {"id": region_id * 10 + store, "store_id": store, "role_name": "Voter"} for store in sorted(self.stores)
        ]
        leader = next((peer for peer in peers if peer["store_id"] == self.regions[region_id]), None)
        down = [
            {"peer": peer, "down_seconds": int(time.time() - self.stores[peer["store_id"]]["at"])}
            for peer in peers
            if time.time() - self.stores[peer["store_id"]]["at"] > self.options.disconnect_after_s
        ]
        return {
            "id": region_id,
            "start_key": f"{number:02X}" if number else "",
            "end_key": f"{number + 1:02X}" if number + 1 < len(self.regions) else "",
            "epoch": {"conf_ver": 5, "version": 1 + number},
            "peers": peers,
            **({"leader": leader} if leader else {}),
            **({"down_peers": down} if down else {}),
            **NOTHING,
            "approximate_size": 1,
            "approximate_keys": 100,
        }

    def listed(self, ids: list[int]) -> dict[str, Any]:
        return {"count": len(ids), "regions": [self.region(one) for one in ids]}

    # requests

    def answer(self, request: Request) -> Answer:
        if request.path == "/standin/vote":
            return Answer(200, self.vote())
        if request.path == "/standin/heartbeat":
            return self.heartbeat(request.body)
        if request.path == "/standin/joined":
            return self.joined(request.body)
        if request.path == "/standin/replicate":
            return self.replicate(request.body)
        if request.path == "/metrics":
            return Answer(200, self.metrics().encode(), "text/plain; version=0.0.4")
        if not request.path.startswith(PREFIX):
            return NO_SUCH_PAGE
        path = request.path.removeprefix(PREFIX)
        local = path in LOCAL or (path == "/config" and request.method == "GET")
        if not local and "PD-Allow-follower-handle" not in request.headers:
            redirected = self.redirected(request)
            if redirected is not None:
                return redirected
        return self.handle(request, path)

    def redirected(self, request: Request) -> Answer | None:
        """None when this member leads; else what the leader says, or that there is none."""
        until = time.monotonic() + 3.0
        while not self.leader and time.monotonic() < until:
            time.sleep(0.05)
        if self.leader == self.name:
            return None
        if not self.leader:
            return Answer(503, b"[PD:apiutil:ErrRedirectNoLeader]redirect finds no leader\n", "text/plain")
        try:
            target = self.peers[self.leader] + request.target
            status, data = ask(request.method, target, request.raw or None, timeout_s=3.0)
        except OSError as error:
            text = f"[PD:apiutil:ErrRedirect]redirect failed: {error}\n"
            return Answer(500, text.encode(), "text/plain")
        return Answer(status, data)

    def handle(self, request: Request, path: str) -> Answer:
        with self.lock:
            if path.startswith(OF_STORES) and not self.stores:
                # As a rule 500.
                status = 406 if path.startswith("/scheduler-config") else 500
                return Answer(
                    status, "[PD:cluster:ErrNotBootstrapped]TiKV cluster not bootstrapped, please start TiKV first"
                )
            found = self.about_members(path) if request.method == "GET" else None
            found = found or self.about_stores(request, path) or self.about_schedulers(request, path)
        if path == "/health":
            return Answer(200, self.health())
        return found or NO_SUCH_PAGE

    def about_members(self, path: str) -> Answer | None:
        members = [self.member(name) for name in sorted(self.peers)]
        if path == "/members":
            body = {"header": {"cluster_id": CLUSTER}, "members": members}
            if self.leader:
                body |= {"leader": self.member(self.leader), "etcd_leader": self.member(self.leader)}
            return Answer(200, body)
        if path == "/leader":
            leader = self.member(self.leader)
            return Answer(200, {key: leader[key] for key in ("name", "member_id", "peer_urls", "client_urls")})
        if path == "/ping":
            return Answer(200, b"", "text/plain")
        if path == "/version":
            return Answer(200, {"version": "v8.5.5", "build_time": "", "hash": "", "branch": ""})
        if path == "/status":
            return Answer(200, {"build_ts": "", "version": "v8.5.5", "git_hash": "stand-in", "start_timestamp": 1})
        if path == "/config":
            return Answer(200, nested(self.config))
        return None

    def member(self, name: str) -> dict[str, Any]:
        url = self.peers[name]
        return {
            "name": name,
            "member_id": self.ids[name],
            "peer_urls": [url.replace(":2379", ":2380")],
            "client_urls": [url],
            "deploy_path": "/",
            "binary_version": "v8.5.5",
            "git_hash": "stand-in",
        }

    def health(self) -> list[dict[str, Any]]:
        """Serially, with PD's own time-out: a frozen member costs three seconds."""
        found = []
        for name, url in sorted(self.peers.items()):
            try:
                well = name == self.name or ask("GET", url + PREFIX + "/ping", timeout_s=3.0)[0] == 200
            except OSError:
                well = False
            found.append({"name": name, "member_id": self.ids[name], "client_urls": [url], "health": well})
        return found

    def about_stores(self, request: Request, path: str) -> Answer | None:
        match path.strip("/").split("/"):
            case ["stores"]:
                return Answer(
                    200, {"count": len(self.stores), "stores": [self.store(one) for one in sorted(self.stores)]}
                )
            case ["store", text]:
                if not text.isdigit():
                    return Answer(400, {"code": "input", "msg": not_a_number(text), "data": {}})
                if int(text) not in self.stores:
                    return Answer(404, f"[PD:core:ErrStoreNotFound]store {text} not found")
                return Answer(200, self.store(int(text)))
            case ["stats", "region"]:
                led = list(self.regions.values())
                return Answer(
                    200,
                    {
                        "count": len(self.regions),
                        "empty_count": 0,
                        "storage_size": len(self.regions),
                        "user_storage_size": 0,
                        "storage_keys": 100 * len(self.regions),
                        **{
                            f"store_leader_{what}": {str(one): each * led.count(one) for one in sorted(set(led)) if one}
                            for what, each in EACH.items()
                        },
                        **{
                            f"store_peer_{what}": {str(one): each * len(led) for one in sorted(self.stores)}
                            for what, each in EACH.items()
                        },
                    },
                )
            case ["regions"]:
                return Answer(200, self.listed(sorted(self.regions)))
            case ["regions", "store", text]:
                return Answer(200, self.listed(sorted(self.regions) if int(text) in self.stores else []))
            case ["regions", "check", problem]:
                return Answer(200, self.listed(self.with_problem(problem)))
            case ["region", "id", text]:
                if not text.isdigit():
                    return Answer(400, not_a_number(text))
                return Answer(200, self.region(int(text)) if int(text) in self.regions else NO_REGION)
            case _:
                return self.about_operators(request, path)

    def with_problem(self, problem: str) -> list[int]:
        if problem == "down-peer":
            return [one for one in sorted(self.regions) if "down_peers" in self.region(one)]
        if problem == "miss-peer":
            return sorted(self.regions) if len(self.stores) < 3 else []
        return []

    def about_operators(self, request: Request, path: str) -> Answer | None:
        parts = path.strip("/").split("/")
        if parts[0] != "operators":
            return None
        if request.method == "GET":
            if "object" in request.query:
                return Answer(200, list(self.operators.values()))
            return Answer(200, [f"{one['desc']} {{{one['brief']}}}" for one in self.operators.values()])
        if request.method == "DELETE":
            if self.operators.pop(int(parts[1]), None) is None:
                return Answer(500, "[PD:operator:ErrOperatorNotFound]operator not found")
            return Answer(200, "The pending operator is canceled.")
        return self.new_operator(request.body)

    def new_operator(self, body: dict[str, Any]) -> Answer:
        # PD reads numbers as doubles: an id that does not fit into one becomes another.
        body = {key: int(float(value)) if isinstance(value, int) else value for key, value in body.items()}
        name, region = body.get("name"), body.get("region_id")
        if name not in ("transfer-leader", "transfer-peer"):
            return Answer(400, "unknown operator")
        if not isinstance(region, int):
            return Answer(400, "missing region id")
        if not isinstance(body.get("to_store_id"), int):
            return Answer(
                400, "missing store id to transfer leader to" if name == "transfer-leader" else "invalid store id"
            )
        if region not in self.regions:
            return Answer(500, f"[PD:region:ErrRegionNotFound]region {region} not found")
        if body["to_store_id"] not in self.stores:
            missing = f"[PD:core:ErrStoreNotFound]store {body['to_store_id']} not found"
            no_voter = f"region has no voter in store {body['to_store_id']}"
            return Answer(500, no_voter if name == "transfer-leader" else missing)
        if name == "transfer-leader":
            self.regions[region] = body["to_store_id"]
            self.term[region] = self.term.get(region, 5) + 1
        else:
            if not isinstance(body.get("from_store_id"), int):
                return Answer(400, "invalid store id to transfer peer from")
            self.operators[region] = {
                "desc": "admin-move-peer",
                "brief": f"mv peer: store [{body['from_store_id']}] to [{body['to_store_id']}]",
                "region_id": region,
                "region_epoch": self.region(region)["epoch"],
                "kind": 65,
                "timeout": "17m0s",
                "status": 1,
            }
        return Answer(200, "The operator is created.")

    def about_schedulers(self, request: Request, path: str) -> Answer | None:
        if path == "/schedulers" and request.method == "GET":
            return Answer(200, [*SCHEDULERS, *([EVICT] if self.evicted else [])])
        if path == f"/scheduler-config/{EVICT}/list":
            if not self.evicted:
                return NO_SUCH_PAGE
            ranges = {str(store): [{"start-key": "", "end-key": ""}] for store in self.evicted}
            return Answer(200, {"store-id-ranges": ranges})
        if path == "/schedulers" and request.method == "POST":
            if request.body.get("name") != EVICT:
                return Answer(400, "unknown scheduler")
            store = int(float(request.body.get("store_id", 0)))
            if store not in self.stores:
                missing = f"[PD:core:ErrStoreNotFound]store {store} not found"
                # While the scheduler runs it is the scheduler that says so: one JSON string in another.
                return Answer(500, json.dumps(missing) + "\n" if self.evicted else missing)
            said = "The scheduler has been applied to the store." if self.evicted else "The scheduler is created."
            return self.keep(sorted({*self.evicted, store}), said)
        if path.startswith(f"/schedulers/{EVICT}-") and request.method == "DELETE":
            store = int(path.rpartition("-")[2])
            if store not in self.evicted:
                return Answer(404, None)
            return self.keep([one for one in self.evicted if one != store], None)
        if path == "/config" and request.method == "POST":
            self.config |= request.body
            return self.keep(self.evicted, "The config is updated.")
        if path == "/leader/resign" and request.method == "POST":
            others = [name for name in sorted(self.peers) if name != self.name]
            self.leader = others[0]
            return Answer(200, "The resign command is submitted.")
        return None

    def keep(self, evicted: list[int], said: str | None) -> Answer:
        self.evicted, self.revision, self.decided_by = evicted, self.revision + 1, self.name
        state = self.decided()
        self.save(state)
        for name, url in self.peers.items():
            if name != self.name:
                threading.Thread(target=tell, args=(url + "/standin/replicate", state), daemon=True).start()
        return Answer(200, said)

    def replicate(self, state: dict[str, Any]) -> Answer:
        with self.lock:
            self.decide(state)
        return Answer(200, {})

    def decided(self) -> dict[str, Any]:
        return {"evicted": self.evicted, "config": self.config, "revision": self.revision, "by": self.decided_by}

    def decide(self, state: dict[str, Any]) -> None:
        """Take over what was decided later; of two decisions with one number all keep the same."""
        if (state["revision"], state["by"]) > (self.revision, self.decided_by):
            self.take(state)
            self.save(state)

    def take(self, state: dict[str, Any]) -> None:
        self.evicted, self.config = state["evicted"], state["config"]
        self.revision, self.decided_by = state["revision"], state["by"]

    def save(self, state: dict[str, Any]) -> None:
        draft = self.data.with_suffix(".new")
        draft.write_text(json.dumps(state))
        draft.replace(self.data)

    def metrics(self) -> str:
        with self.lock:
            states = [self.state(store) for store in self.stores.values()]
            counts = {
                "store_up_count": states.count("Up"),
                "store_disconnected_count": states.count("Disconnected"),
                "store_down_count": states.count("Down"),
                "store_unhealth_count": 0,
                "store_low_space_count": 0,
                "leader_count": sum(1 for store in self.regions.values() if store),
                "region_count": len(self.regions) * len(self.stores),
                "storage_capacity": sum(store["capacity"] for store in self.stores.values()),
                "storage_size": sum(store["used"] for store in self.stores.values()),
            }
            lines = [f"etcd_server_is_leader {int(self.leader == self.name)}"]
            lines += [f'pd_cluster_status{{type="{key}",namespace="global"}} {value}' for key, value in counts.items()]
            lines += [
                f'pd_regions_status{{type="{kind}-region-count"}} {len(self.with_problem(kind))}'
                for kind in ("miss-peer", "down-peer", "pending-peer", "extra-peer", "offline-peer")
            ]
            return "\n".join(lines) + "\n"


def tell(url: str, state: dict[str, Any]) -> None:
    try:
        ask("POST", url, state)
    except OSError:
        log("WARN", "server.go:1", "cannot replicate", url=url)


def not_a_number(text: str) -> str:
    return f'strconv.ParseUint: parsing "{text}": invalid syntax'


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in flat.items():
        group, _, name = key.partition(".")
        found.setdefault(group, {})[name] = value
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--listen", default="0.0.0.0:2379")
    parser.add_argument("--peers", required=True, help="NAME=URL,... of all members, this one too")
    parser.add_argument("--data", default="/tmp/pd.json")
    parser.add_argument("--election-s", type=float, default=0.5)
    parser.add_argument("--disconnect-after-s", type=float, default=20.0)
    parser.add_argument("--down-s", type=float, default=1800.0)
    parser.add_argument("--raft-election-s", type=float, default=10.0)
    for name in ("--cacert", "--cert", "--key"):
        parser.add_argument(name, help="PEM file; all three for TLS with client certificates")
    options, _ = parser.parse_known_args()
    if options.cacert:
        encrypt(options.cacert, options.cert, options.key)
    pd = PD(options)
    serve(options.listen, pd.answer)
    log("INFO", "server.go:1", "Welcome to the stand-in for Placement Driver (PD)", name=options.name)
    threading.Thread(target=pd.follow_elections, daemon=True).start()
    until_stopped()


if __name__ == "__main__":
    main()
