"""How a colour on a page looks to people: its hue by name, in the light theme as in the dark one."""

import colorsys
import re

from playwright.sync_api import Locator

_HUES = ((20, "red"), (70, "yellow"), (170, "green"), (260, "blue"), (340, "violet"), (360, "red"))
_GREY = 0.1
"""Saturation below which a colour is none."""


def colour(of: Locator, what: str) -> str:
    """The colour of an element's CSS property, like ``stroke``."""
    told: str = of.evaluate("(one, what) => getComputedStyle(one).getPropertyValue(what)", what)
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", told)[:3])
    hue, _, saturation = colorsys.rgb_to_hls(red, green, blue)
    if saturation < _GREY:
        return "grey"
    return next(name for limit, name in _HUES if hue * 360 < limit)
