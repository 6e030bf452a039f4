"""The real programs, built once; one cluster for all, with the objects that the stand-in has."""

from collections.abc import Iterator

import pytest
from tests.real.kubernetes.cluster import RealKubernetes, real_kubernetes
from tests.real.kubernetes.programs import built
from tests.real.tikv.programs import Missing
from tests.standins.kubernetes.api import KubernetesApi
from tests.standins.kubernetes.population import Population

NODES, PODS = 20, 120


@pytest.fixture(scope="session")
def standin() -> Iterator[KubernetesApi]:
    api = KubernetesApi(Population(NODES, PODS))
    yield api
    api.stop()


@pytest.fixture(scope="session")
def real(standin: KubernetesApi) -> Iterator[RealKubernetes]:
    try:
        programs = built()
    except Missing as missing:
        pytest.skip(str(missing))
    with real_kubernetes(programs) as cluster:
        cluster.write(standin.population)
        yield cluster
