"""Large digits for the countdown: three, five or ten rows high."""

_PATTERNS: dict[str, tuple[str, ...]] = {
    "0": ("###", "# #", "# #", "# #", "###"),
    "1": (" # ", "## ", " # ", " # ", "###"),
    "2": ("###", "  #", "###", "#  ", "###"),
    "3": ("###", "  #", "###", "  #", "###"),
    "4": ("# #", "# #", "###", "  #", "  #"),
    "5": ("###", "#  ", "###", "  #", "###"),
    "6": ("###", "#  ", "###", "# #", "###"),
    "7": ("###", "  #", "  #", "  #", "  #"),
    "8": ("###", "# #", "###", "# #", "###"),
    "9": ("###", "# #", "###", "  #", "###"),
}
_HUGE = 12
"""So many rows are left for ten rows of digits and what stands around them."""
_HALVES = {(False, False): "  ", (True, False): "▀▀", (False, True): "▄▄", (True, True): "██"}


def large(number: int, height: int) -> list[str]:
    """``number`` in large digits, with ``height`` rows to stand in: ten rows, five, three, or the plain figure."""
    text = str(max(0, number))
    if height >= _HUGE:
        rows = ["    ".join(_full(_PATTERNS[digit][row], 4) for digit in text) for row in range(5)]
        return [row for row in rows for _ in range(2)]
    if height >= 5:
        return ["  ".join(_full(_PATTERNS[digit][row]) for digit in text) for row in range(5)]
    if height >= 3:
        return ["  ".join(_half(_PATTERNS[digit], row) for digit in text) for row in range(0, 6, 2)]
    return [text]


def _full(pattern: str, width: int = 2) -> str:
    return "".join(("█" if dot == "#" else " ") * width for dot in pattern)


def _half(pattern: tuple[str, ...], row: int) -> str:
    upper = pattern[row]
    lower = pattern[row + 1] if row + 1 < len(pattern) else "   "
    return "".join(_HALVES[a == "#", b == "#"] for a, b in zip(upper, lower, strict=True))
