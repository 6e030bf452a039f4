"""A slow server, by its p99 alone: found by the monitor, named by the agent, and well again after the recovery.

The worked example of a gray failure shows the same on a whole daemon, and is in ``make test``.
"""

from pathlib import Path

import pytest
from tests.supervisor.workers.test_agent_on_valkey import Site, on_a_site
from tests.supervisor.workers.worker_bench import until

from operatord.faults.desk import FaultDesk
from operatord.faults.undo_journal import UndoJournal
from operatord.injectors.local import local_injectors
from operatord.subjects.valkey.control import ValkeyControl
from operatord.subjects.valkey.probe import ValkeyProbe


@pytest.mark.soak
def test_a_node_that_is_stopped_most_of_the_time_is_a_ticket_with_the_right_cause(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        control = ValkeyControl(site.table, tmp_path, {}, keep=False, injectors=local_injectors(site.table))
        probe = ValkeyProbe(control.spec)
        journal = UndoJournal(tmp_path / "undo.journal")
        desk = FaultDesk(control, journal, lambda *_: None, lambda: probe.observe(0.5))
        # With the defaults: stopped for 70 % of every 20 ms.
        await desk.inject("slow", "valkey-1", countdown_s=0)
        await until(lambda: any(one.invariant == "p99_latency" for one in site.desk.unresolved()), 60)
        assert {one.node for one in site.desk.unresolved()} == {"valkey-1"}, "nobody else is held for slow"
        diagnosis = await site.diagnose("p99_latency", "valkey-1")
        assert (diagnosis.cause, diagnosis.component) == ("stop_and_go", "valkey-1")
        assert not any("slow-valkey-1" in one.text for one in diagnosis.evidence), "who does it is not in the evidence"
        await desk.recover()
        await until(lambda: not site.desk.unresolved(), 60)
        await desk.close()
        await probe.close()
        journal.close()

    on_a_site(tmp_path, story)
