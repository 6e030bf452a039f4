"""The compose file on a real engine, with stand-ins for what cannot be downloaded where the tests run."""

from tests.standins.engine import docker_engine

__all__ = ["docker_engine"]
