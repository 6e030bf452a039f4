"""What is there for good, the garbage collector need not look through again.

A full collection holds up every thread, so the streams too, for as long as it takes to look at all objects. Those of
the libraries are most of them, a tenth of a second's worth, and none of them is ever garbage. A large answer of
Kubernetes makes so many new ones that such a collection comes with each.
"""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def made_for_good() -> Iterator[None]:
    """No collection meanwhile, and what is there at the end is left out of all later ones."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()
