"""What the areas of the console read from, made of the settings."""

import time
from collections.abc import Iterator
from pathlib import Path

from fastapi import APIRouter

from operator_clients.web.kubernetes.opening import cluster_reader
from operator_clients.web.kubernetes.router import kubernetes_router
from operator_clients.web.services.catalogue import load_catalogue
from operator_clients.web.services.router import metrics_source, services_router
from operator_clients.web.settings import Settings


def area_routers(settings: Settings) -> Iterator[APIRouter]:
    """The routers of services and Kubernetes. Raises ``OperatorError`` for a catalogue or an address that is none."""
    services = settings.services
    source = metrics_source(services.metrics_url, mock=services.mock)
    yield services_router(load_catalogue(services.catalogue), source, time.time)
    told = settings.kubernetes
    kubeconfig = Path(told.kubeconfig).expanduser() if told.kubeconfig else None
    yield kubernetes_router(cluster_reader(kubeconfig, told.context, mock=told.mock))
