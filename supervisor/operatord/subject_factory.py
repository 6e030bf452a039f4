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
    section = options.config.subject.valkey.model_dump()
    return ValkeyControl(
        servers,
        options.state_dir,
        {
            **section,
            "workload": load.workload,
            "workload_rate": load.rate,
            "workload_threads": load.threads,
            "workload_record_count": load.record_count,
        },
        keep=options.keep_cluster,
    )
