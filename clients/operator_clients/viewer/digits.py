"""Large digits for the countdown, three or five rows high."""

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
_HALVES = {(False, False): "  ", (True, False): "▀▀", (False, True): "▄▄", (True, True): "██"}


def large(number: int, height: int) -> list[str]:
    """``number`` in large digits, with ``height`` rows to stand in: five rows, three, or the plain figure."""
    text = str(max(0, number))
    if height >= 5:
        return ["  ".join(_full(_PATTERNS[digit][row]) for digit in text) for row in range(5)]
    if height >= 3:
        return ["  ".join(_half(_PATTERNS[digit], row) for digit in text) for row in range(0, 6, 2)]
    return [text]


def _full(pattern: str) -> str:
    return "".join("██" if dot == "#" else "  " for dot in pattern)


def _half(pattern: tuple[str, ...], row: int) -> str:
    upper = pattern[row]
    lower = pattern[row + 1] if row + 1 < len(pattern) else "   "
    return "".join(_HALVES[a == "#", b == "#"] for a, b in zip(upper, lower, strict=True))
