"""Builds the control half of a subject from its name and the configuration."""

from operatord.options import DaemonOptions
from operatord.subjects.base import Servers, SubjectControl
from operatord.subjects.registry import check_subject


def make_control(options: DaemonOptions, servers: Servers) -> SubjectControl:
    """The control half of ``options.subject``. Raises ``NotFound`` for an unknown one."""
    check_subject(options.subject)
    # Imported here: a subject brings its own client libraries.
    from operatord.subjects.valkey.control import ValkeyControl

    load = options.config.workload
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
    )
