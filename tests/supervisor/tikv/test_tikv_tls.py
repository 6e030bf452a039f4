"""A cluster that speaks TLS and wants client certificates: with the right one, the wrong one, and none."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.standins.certificates import Certificates, make_certificates
from tests.standins.cluster import STORE_IDS, StandInCluster, standin_cluster

from operator_protocol.errors import BadRequest, Unavailable
from operator_protocol.models import Fault, Scalar
from operatord.subjects.base import SubjectSpec
from operatord.subjects.tikv.control import TiKVControl
from operatord.subjects.tikv.engine import NoEngine
from operatord.subjects.tikv.pd.tls import Tls

from .watching import QUICK, Watch, watching

STORE = f"store-{STORE_IDS['tikv0']}"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def cluster(certificates: Certificates) -> Iterator[StandInCluster]:
    with standin_cluster(*QUICK, certificates=certificates) as cluster:
        yield cluster


def started(tmp_path: Path, options: dict[str, Scalar]) -> str:
    """What a control said that attached with ``options``."""
    said: list[str] = []

    async def main() -> None:
        control = TiKVControl(NoEngine(), tmp_path, options, keep=False)
        await control.start(said.append)
        await control.stop()

    asyncio.run(main())
    (line,) = said
    return line


def test_with_our_certificate_all_is_seen_and_the_servers_are_reached(
    cluster: StandInCluster, certificates: Certificates, tmp_path: Path
) -> None:
    data = f"{STORE}={cluster.addresses['tikv0']}"
    options: dict[str, Scalar] = {"pd": cluster.pd_urls["pd1"], "data": data, **certificates.options("operator")}
    identity = started(tmp_path, options).removeprefix("attached to cluster ").partition(";")[0]
    assert identity.isdigit()

    async def work(watch: Watch) -> None:
        await watch.until(lambda seen: [one.signals["probe"] for one in seen.nodes] == ["up"] * 6)
        await watch.until_well()

    watching(SubjectSpec("tikv", [], options), work)

    allowed: dict[str, Scalar] = {"allow_faults_on": int(identity), "allow_load_on": identity}

    async def breaking() -> None:
        control = TiKVControl(NoEngine(), tmp_path, {**options, **allowed}, keep=False)
        await control.start(lambda _line: None)
        one = Fault("f1", "grpc-pause", STORE, "injecting", "tikv")
        memo = await control.prepare(one)
        await control.inject(one, memo)
        await control.undo(one, memo)
        with pytest.raises(Unavailable, match="go-ycsb speaks no TLS"):
            control.workload()
        await control.stop()

    asyncio.run(breaking())


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("stranger", "does not trust the authority|refuses our client certificate"),
        ("nobody", "wants a client certificate|refuses our client certificate"),
        ("mistrust", "we do not trust its certificate: self-signed certificate in certificate chain"),
        ("plain", "it speaks only TLS"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_one_line_and_the_cluster_is_unknown(
    cluster: StandInCluster, certificates: Certificates, tmp_path: Path, who: str, said: str
) -> None:
    urls = ",".join(cluster.pd_urls.values())
    options: dict[str, Scalar] = {
        "stranger": {"pd": urls, **certificates.options("stranger")},
        "nobody": {"pd": urls, "tls_ca": str(certificates.ca)},
        "mistrust": {"pd": urls, "tls_ca": str(certificates.cert("other-ca"))},
        "plain": {"pd": urls.replace("https", "http")},
    }[who]  # type: ignore[assignment]  # texts are scalars
    line = started(tmp_path, options)
    assert line.startswith("the cluster does not answer yet: no PD answers: ")
    assert "\n" not in line

    async def work(watch: Watch) -> None:
        # They live: what is wrong is between them and us.
        await watch.until(
            lambda seen: (
                seen.ok is None
                and any(word in seen.reason for word in said.split("|"))
                and {one.state for one in seen.nodes} == {"up"}
            )
        )
        assert watch.told() == []

    watching(SubjectSpec("tikv", [], options), work)


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        (Tls("nowhere.pem"), "cannot use the CA file nowhere.pem: No such file"),
        (Tls("{ca}", "nowhere.pem"), "cannot use the client certificate nowhere.pem: No such file"),
        (Tls("{ca}", "{operator}", "{stranger_key}"), "with the key .*: key values mismatch"),
        (Tls("{junk}"), "cannot use the CA file .*junk"),
        (Tls("{ca}", "{operator}"), "cannot use the client certificate"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(certificates: Certificates, tmp_path: Path, tls: Tls, said: str) -> None:
    junk = tmp_path / "junk"
    junk.write_text("this is no certificate")
    places = {
        "ca": certificates.ca,
        "operator": certificates.cert("operator"),
        "stranger_key": certificates.key("stranger"),
        "junk": junk,
    }
    with pytest.raises(BadRequest, match=said):
        Tls(tls.ca.format(**places), tls.cert.format(**places), tls.key.format(**places)).context()
