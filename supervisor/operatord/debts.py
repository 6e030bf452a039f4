"""What faults have left owed, over the life of one daemon: settled at the start, paid or forfeited at the end."""

import asyncio
from collections.abc import Callable

from operator_protocol.errors import OperatorError
from operatord.faults.desk import FaultDesk
from operatord.faults.undo_journal import UndoJournal
from operatord.launching import Launch
from operatord.subjects.base import Outliving, SubjectControl


class Debts:
    """``servers_live`` tells whether any server of the subject, as a process, is still there."""

    def __init__(
        self,
        faults: FaultDesk,
        journal: UndoJournal,
        subject: SubjectControl,
        launch: Launch,
        log: Callable[[str], None],
        *,
        keep: bool,
        servers_live: Callable[[], bool],
    ) -> None:
        self._faults = faults
        self._journal = journal
        self._subject = subject
        self._launch = launch
        self._log = log
        self._keep = keep
        self._servers_live = servers_live
        self._trying: asyncio.Task[None] | None = None

    async def settle(self) -> None:
        """Undo what an earlier daemon owed; the subject is up."""
        for notice in self._journal.notices:
            self._log(notice)
        for fault in await self._faults.sweep():
            self._log(f"{fault.kind} on {fault.target}, owed since an earlier run, is settled: {fault.recovered_by}")
        for fault in self._faults.owed():
            self._log(f"{fault.kind} on {fault.target} is still owed: {fault.error}")

    def try_again(self) -> None:
        """What kept undos from succeeding may be over: try those that failed once more, without waiting for it."""
        if self._launch.is_up and (self._trying is None or self._trying.done()):
            self._trying = asyncio.create_task(self._try_again(), name="try the undos again")

    async def _try_again(self) -> None:
        for fault in await self._faults.retry():
            self._log(f"{fault.kind} on {fault.target}, which could not be undone before, is undone")

    async def pay_before_leaving(self) -> None:
        """Undo everything, as far as it can be."""
        if self._trying is not None:
            self._trying.cancel()
            await asyncio.gather(self._trying, return_exceptions=True)
        if not self._launch.is_up:
            # Nothing can be verified against a cluster that never came up: what is owed stays owed.
            await self._faults.release()
            return
        try:
            await self._faults.close()
        except OperatorError as error:
            self._log(f"still owed, undone at the next start: {error}")

    async def forfeit(self) -> None:
        """A fault ends with its cluster, but only if that is really gone."""
        if self._keep or self._servers_live():
            return
        if isinstance(self._subject, Outliving) and self._subject.stands:
            return
        for fault in await self._faults.forfeit("the cluster was stopped"):
            self._log(f"{fault.kind} on {fault.target} ended with the cluster")
