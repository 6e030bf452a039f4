"""The one place where text is made fit to leave this host.

``Redactor.clean`` goes over every string of a request right before it is sent (``gateway``). The patterns meet text
from outside, so none of them repeats what repeats, and each is bounded: they take linear time on anything.
"""

import contextlib
import json
import re
from collections import Counter
from ipaddress import ip_address
from typing import Any, NamedTuple

_NAMES = (
    r"(?:api[_-]?key|access[_-]?key(?:[_-]?id)?|secret[_-]?access[_-]?key|(?:client|shared)[_-]?secret"
    r"|secret(?:[_-]?key)?|private[_-]?key|(?:auth|access|refresh|session|bearer|id)[_-]?token|token"
    r"|pass(?:word|wd|phrase|code)|pwd|masterauth|primaryauth|requirepass|masteruser|credentials?|x-api-key)"
)


class _Rule(NamedTuple):
    what: str
    pattern: re.Pattern[str]
    shown: str
    """What takes its place, as a template of ``re.sub``."""


def _rule(what: str, pattern: str, shown: str = "", flags: int = 0) -> _Rule:
    return _Rule(what, re.compile(pattern, flags), shown or f"<{what} removed>")


_I = re.IGNORECASE
_SCHEME = r"(\b[a-z][a-z0-9+.-]{0,20}://)"
RULES: tuple[_Rule, ...] = (
    _rule(
        "private key",
        r"-----BEGIN [A-Z0-9 ]{1,40}-----.{0,20000}?(?:-----END [A-Z0-9 ]{1,40}-----|\Z)",
        "<private key removed>",
        re.DOTALL,
    ),
    _rule("credentials", _SCHEME + r"[^\s/@:]{0,256}:[^\s/@]{0,256}@", r"\1<credentials removed>@", _I),
    _rule("credentials", _SCHEME + r"[^\s/@:]{1,256}@", r"\1<credentials removed>@", _I),
    _rule("header", r"\b((?:proxy-)?authorization\s{0,4}[:=]\s{0,4})[^\r\n]{1,4096}", r"\1<header removed>", _I),
    _rule("header", r"\b((?:set-)?cookie\s{0,4}:\s{0,4})[^\r\n]{1,4096}", r"\1<header removed>", _I),
    _rule("token", r"\b((?:bearer|basic)\s{1,4})[A-Za-z0-9+/._~=-]{8,4096}", r"\1<token removed>", _I),
    _rule("token", r"\beyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,4096}(?:\.[A-Za-z0-9_-]{0,4096})?"),
    _rule("key", r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,256}"),
    _rule("key", r"\b(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,256}"),
    _rule("key", r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA)[A-Z0-9]{16}\b"),
    _rule("key", r"\bAIza[A-Za-z0-9_-]{35}"),
    _rule("key", r"\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255}|glpat-[A-Za-z0-9_-]{16,255})"),
    _rule("key", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,255}"),
    _rule("key", r"\b(?:npm_[A-Za-z0-9]{30,64}|pypi-[A-Za-z0-9_-]{16,255}|hf_[A-Za-z0-9]{20,64})"),
    # A server's own words for passwords: AUTH [user] secret, requirepass secret, user default on >secret.
    _rule(
        "password",
        r"""(["']?\bAUTH["']?\s{1,4})(?:["']?[\w.-]{1,64}["']?\s{1,4})?["']?[^\s"']{3,512}["']?""",
        r"\1<password removed>",
    ),
    _rule("password", r"(\b(?:requirepass|masterauth|primaryauth)\s{1,4})\S{1,512}", r"\1<password removed>", _I),
    _rule("password", r"(\s)[>#][^\s>#]{6,512}(?=\s|$)", r"\1<password removed>"),
    _rule(
        "password",
        r"(?<=\s)(-a\s{1,4}|--(?:pass|password|token|secret|api-key)[\s=]{1,4})\S{1,512}",
        r"\1<password removed>",
    ),
    _rule(
        "secret",
        rf"""((?:\b|_){_NAMES}["']?\s{{0,4}}(?:=>|:=|[=:])\s{{0,4}})"""
        r"""(?:"[^"\r\n]{1,2048}"|'[^'\r\n]{1,2048}'|[^\s,;&"'}\])]{1,2048})""",
        r"\1<secret removed>",
        _I,
    ),
)
"""In order: what spans more comes first. Sources: the formats that the issuers of the keys document."""

_V4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_V6 = re.compile(r"(?<![\w:.])\[?((?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4})\]?(?![\w:])")


class Redactor:
    """Cleans text; with ``addresses`` IP addresses too, each under a name of its own so that they can be told apart."""

    def __init__(self, *, addresses: bool = False) -> None:
        self._addresses = addresses
        self._names: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        """What was removed, and how often."""

    def clean(self, tree: Any) -> Any:
        """``tree`` of maps, lists and scalars with every string in it cleaned; keys are ours and stay."""
        if isinstance(tree, str):
            return "\n".join(self._line(line) for line in tree.split("\n"))
        if isinstance(tree, dict):
            return {key: self.clean(value) for key, value in tree.items()}
        if isinstance(tree, list | tuple):
            return [self.clean(value) for value in tree]
        return tree

    def _line(self, line: str) -> str:
        """A line that is JSON is cleaned as what it says: quotes that are escaped hide a secret from the patterns."""
        if line.startswith("{"):
            with contextlib.suppress(ValueError):
                return json.dumps(self.clean(json.loads(line)), ensure_ascii=False)
        return self.text(line)

    def text(self, text: str) -> str:
        """One string as it stands."""
        for rule in RULES:
            text, times = rule.pattern.subn(rule.shown, text)
            if times:
                self.counts[rule.what] += times
        if self._addresses:
            text = _V4.sub(lambda match: self._address(match.group(), match.group()), text)
            text = _V6.sub(lambda match: self._address(match.group(), match.group(1)), text)
        return text

    def _address(self, shown: str, address: str) -> str:
        try:
            known = str(ip_address(address))
        except ValueError:
            return shown
        self.counts["address"] += 1
        return self._names.setdefault(known, f"address-{len(self._names) + 1}")
