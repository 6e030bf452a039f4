"""What can be done: the catalogues of all that executes actions, as one."""

from collections.abc import Mapping, Sequence

from operator_protocol.errors import NotFound
from operator_protocol.models import Action, ActionKind, Scalar
from operatord.faults.params import complete
from operatord.subjects.base import Acting


class Registry:
    """Actions by kind, and who does them: the subject, and what of the daemon can act."""

    def __init__(self, executors: Sequence[Acting]) -> None:
        self._executors = tuple(executors)

    def kinds(self) -> Mapping[str, ActionKind]:
        """What can be executed at the moment; advice to a person (``inspect_host``) is not among it."""
        return {name: kind for executor in self._executors for name, kind in executor.actions().items()}

    def kind(self, name: str) -> ActionKind:
        """One entry. Raises ``NotFound`` with those there are."""
        kinds = self.kinds()
        if name not in kinds:
            raise NotFound(f"no action is called {name!r}", f"there are {', '.join(kinds) or 'none for this subject'}")
        return kinds[name]

    def complete(self, name: str, params: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """All parameters of that kind, typed, with their defaults. Raises ``NotFound``, ``BadRequest``."""
        return complete(self.kind(name), params, see="operatorctl actions --kinds")

    async def check(self, action: Action) -> str:
        """What would be done, in one line. Raises what stands against it now."""
        return await self._executor(action).check(action)

    async def act(self, action: Action) -> str:
        """Check again, do it, and say in one line what was done."""
        return await self._executor(action).act(action)

    def _executor(self, action: Action) -> Acting:
        self.kind(action.kind)
        return next(executor for executor in self._executors if action.kind in executor.actions())
