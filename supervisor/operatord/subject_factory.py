"""Builds the control half of a subject from its name and the configuration."""

from operatord.foreign_load import foreign_load
from operatord.injectors.commands import Commands
from operatord.injectors.limits import ResourceLimits
from operatord.isolation.network import IsolatedNetwork
from operatord.options import DaemonOptions
from operatord.subjects.base import Servers, SubjectControl
from operatord.subjects.registry import check_subject
from operatord.subjects.tikv.engine import Engine


def make_network(options: DaemonOptions, commands: Commands) -> IsolatedNetwork:
    """The network of isolated servers that belongs to the state directory, whether or not there is one now."""
    return IsolatedNetwork(options.state_dir, commands, wanted=options.isolate, subnet=options.config.isolation.network)


def make_control(options: DaemonOptions, servers: Servers, commands: Commands, engine: Engine) -> SubjectControl:
    """The control half of ``options.subject``. Raises ``NotFound`` for an unknown one.

    ``engine`` speaks with the container engine, for a subject whose servers are containers.
    """
    check_subject(options.subject)
    return _tikv(options, engine) if options.subject == "tikv" else _valkey(options, servers, commands)


def _tikv(options: DaemonOptions, engine: Engine) -> SubjectControl:
    from operatord.subjects.tikv.control import TiKVControl

    load, bounds = options.config.workload, options.config.faults
    return TiKVControl(
        engine,
        options.state_dir,
        {
            **options.config.subject.tikv,
            "workload_name": load.workload,
            "workload_rate": load.rate,
            "workload_threads": load.threads,
            "workload_records": load.record_count,
        },
        keep=options.keep_cluster,
        load=foreign_load(load),
        limits=ResourceLimits(bounds.max_memory_share, bounds.max_disk_bytes),
    )


def _valkey(options: DaemonOptions, servers: Servers, commands: Commands) -> SubjectControl:
    # Imported here: a subject brings its own client libraries.
    from operatord.injectors.local import local_injectors
    from operatord.injectors.network import network_injectors
    from operatord.injectors.resources import resource_injectors
    from operatord.subjects.valkey.control import ValkeyControl

    network = make_network(options, commands)
    load, bounds = options.config.workload, options.config.faults
    limits = ResourceLimits(bounds.max_memory_share, bounds.max_disk_bytes)
    return ValkeyControl(
        servers,
        options.state_dir,
        {
            **options.config.subject.valkey,
            "workload_rate": load.rate,
            "workload_threads": load.threads,
            "workload_records": load.record_count,
        },
        keep=options.keep_cluster,
        workload=load.workload,
        load=foreign_load(load),
        injectors=[
            *local_injectors(servers),
            *network_injectors(network),
            *resource_injectors(servers, limits),
        ],
        network=network,
    )
