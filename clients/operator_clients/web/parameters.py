"""What a query may name: what its route takes, and nothing else. A misspelt filter would filter nothing."""

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant

from operator_clients.web.errors import ApiError


async def refuse_unknown(request: Request) -> None:
    """Raises ``ApiError`` (422) for a parameter in the query that the route does not take.

    It runs before every route, and waits for nothing: as a plain function it would take a thread each time.
    """
    if not request.query_params:
        return
    taken = tuple(dict.fromkeys(_taken(request.scope["route"].dependant)))
    if unknown := sorted(set(request.query_params) - set(taken)):
        what = "there is no parameter " + ", ".join(repr(name[:40]) for name in unknown[:3])
        hint = f"{request.url.path} takes {', '.join(taken) or 'none'}"
        raise ApiError(422, "bad_parameter", what, hint)


def _taken(dependant: Dependant) -> Iterator[str]:
    """The names of the parameters in the query, also those of what the route depends on."""
    yield from (field.alias for field in dependant.query_params)
    for other in dependant.dependencies:
        yield from _taken(other)
