"""Key numbers for inserts: who takes the next one, and up to which one all have arrived."""


class AcknowledgedCounter:
    """Counts up from ``start``; ``last`` is the number up to which *every* number has been acknowledged.

    A number that was taken but not yet inserted must not be read, so readers look at ``last`` and never ahead of it.
    """

    def __init__(self, start: int) -> None:
        self._next = start
        self._last = start - 1
        self._waiting: set[int] = set()

    def next(self) -> int:
        """Take the next number."""
        number = self._next
        self._next += 1
        return number

    def acknowledge(self, number: int) -> None:
        """Say that ``number`` has been inserted, or given up on."""
        self._waiting.add(number)
        while self._last + 1 in self._waiting:
            self._last += 1
            self._waiting.remove(self._last)

    def last(self) -> int:
        """The end of the unbroken row of acknowledged numbers."""
        return self._last
