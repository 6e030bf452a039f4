"""What the garbage collector is spared."""

import gc

from operator_clients.web.heap import made_for_good


def test_what_was_made_for_good_is_never_looked_through_again() -> None:
    try:
        with made_for_good():
            assert not gc.isenabled()
            kept: list[list[object]] = [[]]
        assert gc.isenabled()
        assert not any(one is kept for one in gc.get_objects())
    finally:
        gc.unfreeze()
