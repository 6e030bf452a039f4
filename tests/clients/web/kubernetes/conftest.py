"""A small cluster for tests that leave it as it was."""

from collections.abc import Iterator

import pytest
from tests.clients.web.kubernetes.served import standin
from tests.standins.kubernetes.api import KubernetesApi
from tests.standins.kubernetes.faults import Fault


@pytest.fixture(scope="module")
def shared_api() -> Iterator[KubernetesApi]:
    with standin() as api:
        yield api


@pytest.fixture
def api(shared_api: KubernetesApi) -> Iterator[KubernetesApi]:
    """Nothing is wrong with it yet, and it was not asked anything."""
    shared_api.requests.clear()
    yield shared_api
    shared_api.break_(Fault())
    if not shared_api.listening:
        shared_api.start()
