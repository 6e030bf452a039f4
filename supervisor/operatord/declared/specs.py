"""From a section of the configuration to what the process table takes."""

from operatord.declared.host import resolved
from operatord.declared.sections import ProcessSection, signal_number
from operatord.processes.backoff import BackoffPolicy
from operatord.processes.spec import ProcessSpec


def to_spec(name: str, section: ProcessSection) -> ProcessSpec:
    """The process as the table takes it. A command that cannot be found is left to fail when it is started."""
    backoff = section.backoff
    return ProcessSpec(
        name=name,
        command=tuple(resolved(section.command, section)),
        env=section.env,
        cwd=section.cwd,
        user=section.user,
        restart=section.restart,
        success_codes=tuple(section.success_codes),
        no_restart_codes=tuple(section.no_restart_codes),
        stop_signal=signal_number(section.stop_signal),
        stop_timeout_s=section.stop_timeout,
        ready="probed" if section.probed else "started",
        start_timeout_s=section.start_timeout,
        backoff=BackoffPolicy(
            base_s=backoff.base,
            cap_s=backoff.cap,
            stable_after_s=backoff.stable_after,
            flap_deaths=backoff.deaths or None,
            flap_window_s=backoff.window,
        ),
    )
