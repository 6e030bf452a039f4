"""The one place where text is made fit to be told.

What the agent knows passes it twice: secrets are taken out of each item of evidence as it is written down
(``without_secrets``), so that neither the ticket, nor its export, nor a database on another host, nor a diagnosis holds
them; and ``Redactor.clean`` goes over every string of a request right before it is sent (``claude.gateway``), with
addresses by choice. The patterns meet text from outside, so none of them repeats what repeats, and each is bounded:
they take linear time on anything.
"""

import contextlib
import json
import re
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, NamedTuple, TypeAlias

_KINDS_OF_KEY = r"(?:api|access|account|auth|client|encryption|license|master|private|secret|service|shared|signing)"
_NAMES = (
    # Unmistakable wherever they stand: PGPASSWORD, dbPassword, X-Vault-Token.
    r"(?:pass(?:word|wd|phrase|code)|secret|credentials?|token|masterauth|primaryauth|requirepass|masteruser"
    rf"|{_KINDS_OF_KEY}[ _-]?key(?:[_-]?(?:id|base))?"
    # Short words only where a name ends in them: DB_PASS, MYSQL_PWD, REDISCLI_AUTH, key-file-pass.
    r"|(?:\b|[_-])(?:pass|pwd|pw|auth))"
)
_QUOTE = r"\\{0,3}[\"']"
_VALUE = (
    rf"(?:(?P<quote>{_QUOTE})[^\r\n]{{1,2048}}?(?:(?P=quote)|$)"
    r"|[^\s,;&\"'}\])<\\][^\s,;&\"'}\])]{0,2048})"
)
"""A text in quotes, which may themselves be escaped, or a word."""
Shown: TypeAlias = str | Callable[[re.Match[str]], str]


class _Rule(NamedTuple):
    what: str
    hints: tuple[str, ...]
    """In small letters: without one of them in it a text is not searched. Most text has none."""
    pattern: re.Pattern[str]
    shown: Shown
    """What takes its place, as ``re.sub`` has it."""


def _rule(what: str, hints: str, pattern: str, shown: Shown = "", flags: int = 0) -> _Rule:
    return _Rule(what, tuple(hints.split()), re.compile(pattern, flags), shown or f"<{what} removed>")


_ACL_PASSWORD = re.compile(r"""(?<=[\s"'])[<>#!][^\s"']{1,512}""")


def _acl_rules(match: re.Match[str]) -> str:
    """The rules of one user, of which there may be several that hold a password or its hash."""
    return match.group(1) + _ACL_PASSWORD.sub("<password removed>", match.group(2))


def _blob(match: re.Match[str]) -> str:
    """A line of a key looks like this; a long path or a key of a region does not."""
    text = match.group()
    mixed = any(c.islower() for c in text) and any(c.isupper() for c in text) and any(c.isdigit() for c in text)
    return "<long secret removed>" if mixed and text.count("/") * 12 <= len(text) else text


_I = re.IGNORECASE
_SCHEME = r"(\b[a-z][a-z0-9+.-]{0,20}://)"
_PEM = _rule(
    "private key",
    "-----begin",
    # Only what a key is made of, an encrypted one included: a line in a log that looks like a beginning hides no other.
    r"-----BEGIN [A-Z0-9 ]{1,40}-----[\w\s+/=:,\\-]{0,8000}?(?:-----END [A-Z0-9 ]{1,40}-----|(?=[^\w\s+/=:,\\-])|\Z)",
    "<private key removed>",
)
RULES: tuple[_Rule, ...] = (
    _PEM,
    _rule(
        "credentials",
        "://",
        _SCHEME + r"[^\s/@:\"'<>]{0,256}:[^\s@\"'<>][^\s\"'<>]{0,256}@",
        r"\1<credentials removed>@",
        _I,
    ),
    _rule("credentials", "://", _SCHEME + r"[^\s/@:\"'<>]{1,256}@", r"\1<credentials removed>@", _I),
    _rule(
        "credentials",
        "-u --user",
        r"(?<=\s)(-u|--user)([\s=]{1,4})[^\s:]{1,64}:\S{1,512}",
        r"\1\2<credentials removed>",
    ),
    _rule(
        "header",
        "authorization",
        r"\b((?:proxy-)?authorization\\{0,3}[\"']?\s{0,4}[:=]\s{0,4})[^\r\n]{1,4096}",
        r"\1<header removed>",
        _I,
    ),
    _rule(
        "header", "cookie", r"\b((?:set-)?cookie\\{0,3}[\"']?\s{0,4}:\s{0,4})[^\r\n]{1,4096}", r"\1<header removed>", _I
    ),
    _rule("token", "bearer basic", r"\b((?:bearer|basic)\s{1,4})[A-Za-z0-9+/._~=-]{8,4096}", r"\1<token removed>", _I),
    _rule("token", "eyj", r"\beyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,4096}(?:\.[A-Za-z0-9_-]{0,4096})?"),
    _rule("key", "sk- pk- rk-", r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,256}"),
    _rule("key", "_live_ _test_", r"\b(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,256}"),
    _rule("key", "aki asi agp aid aro aip anp anv", r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA)[A-Z0-9]{16}\b"),
    _rule("key", "aiza ya29.", r"\b(?:AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{16,512})"),
    _rule(
        "key",
        "gh glpat-",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255}|glpat-[A-Za-z0-9_-]{16,255})",
    ),
    _rule("key", "xox", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,255}"),
    _rule(
        "key",
        "hooks.slack.com discord",
        r"(hooks\.slack\.com/services/|discord(?:app)?\.com/api/webhooks/)[\w/-]{8,255}",
        r"\1<key removed>",
        _I,
    ),
    _rule("key", "npm_ pypi- hf_", r"\b(?:npm_[A-Za-z0-9]{30,64}|pypi-[A-Za-z0-9_-]{16,255}|hf_[A-Za-z0-9]{20,64})"),
    _rule(
        "key",
        "hvs. hvb. hvr. _v1_ shp",
        r"\b(?:hv[sbr]\.[A-Za-z0-9_-]{16,255}|do[opr]_v1_[a-f0-9]{32,128}|shp(?:at|ca|pa|ss)_[a-f0-9]{16,64})",
    ),
    _rule("key", "sg. age-", r"\b(?:SG\.[\w-]{16,64}\.[\w-]{16,128}|AGE-SECRET-KEY-1[A-Z0-9]{10,128})"),
    _rule(
        "key",
        "sig -token=",
        r"([?&](?:sig|signature|x-amz-(?:signature|security-token))=)[^\s&\"']{1,2048}",
        r"\1<key removed>",
        _I,
    ),
    # A server's own words for passwords: AUTH [user] secret, requirepass secret, user default on >secret.
    _rule(
        "password",
        "auth",
        r"""(["']?\bAUTH2?["']?\s{1,4})(?:["']?[\w.-]{1,64}["']?\s{1,4})?["']?[^\s"']{3,512}["']?""",
        r"\1<password removed>",
    ),
    _rule(
        "password",
        "auth",
        r"""(["']auth2?["']\s{1,4})(?:["'][^\s"']{1,512}["']\s{0,4}){1,2}""",
        r"\1<password removed>",
        _I,
    ),
    _rule("password", "auth", r"((?:^|[>$])\s{0,4}auth\s{1,4})[^\r\n]{1,512}", r"\1<password removed>", _I),
    _rule(
        "password", "auth-pass", r"""(\bauth-pass["']?\s{1,4}\S{1,128}\s{1,4})\S{1,512}""", r"\1<password removed>", _I
    ),
    _rule(
        "password",
        "requirepass masterauth primaryauth -file-pass",
        r"""(\b(?:requirepass|masterauth|primaryauth|[\w-]{0,32}-file-pass)["']?\s{1,4})(?:"[^"\r\n]{1,512}"|'[^'\r\n]{1,512}'|\S{1,512})""",
        r"\1<password removed>",
        _I,
    ),
    _rule(
        "password",
        "user",
        r"""(\bsetuser["']?\s{1,4}\S{1,128}|\buser \S{1,128} o(?:n|ff)\b)([^\r\n]{1,1024})""",
        _acl_rules,
        _I,
    ),
    _rule("password", "> #", r"(\s)[>#][^\s>#]{6,512}(?=\s|$)", r"\1<password removed>"),
    _rule(
        "password",
        "identified password",
        r"(\bidentified by\s{1,4}|\bwith password\s{1,4})\S{1,512}",
        r"\1<password removed>",
        _I,
    ),
    _rule(
        "password",
        "password passphrase",
        rf"(\bpass(?:word|phrase)\s{{1,4}})(?P<quote>{_QUOTE})[^\r\n]{{1,512}}?(?:(?P=quote)|$)",
        r"\1<password removed>",
        _I,
    ),
    _rule(
        "password",
        "password passphrase",
        r"(\bpass(?:word|phrase) (?:is|was) )\S{1,512}",
        r"\1<password removed>",
        _I,
    ),
    _rule(
        "password",
        "-cli",
        r"(\b(?:valkey|redis)-cli\b[^\r\n]{0,200}?\s-a\s{0,4})[^\s-]\S{0,512}",
        r"\1<password removed>",
    ),
    _rule(
        "password",
        "mysql mycli",
        r"(\bmy(?:sql|cli)\w{0,16}\b[^\r\n]{0,200}?\s-p)[^\s-]\S{0,512}",
        r"\1<password removed>",
    ),
    _rule(
        "password",
        "-a --",
        r"(?<=\s)(-a\s{1,4}|--[\w-]{0,32}(?:pass|password|passwd|token|secret|api-key)[\s=]{1,4})\S{1,512}",
        r"\1<password removed>",
    ),
    _rule(
        "secret",
        "pass secret credential token auth key masteruser pwd pw",
        rf"({_NAMES}\\{{0,3}}[\"']?\s{{0,4}}(?:=>|:=|[=:])\s{{0,4}}){_VALUE}",
        r"\1<secret removed>",
        _I,
    ),
    _rule("long secret", "", r"(?<![\w+/=.-])[A-Za-z0-9+/]{60,4096}={0,2}(?![\w+/=])", _blob),
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
            whole = self._apply(_PEM, tree) if "-----BEGIN" in tree else tree  # the one thing of several lines
            return "\n".join(self._line(line) for line in whole.split("\n"))
        if isinstance(tree, dict):
            return {key: self.clean(value) for key, value in tree.items()}
        if isinstance(tree, list | tuple):
            return [self.clean(value) for value in tree]
        return tree

    def _line(self, line: str) -> str:
        """A line that is JSON is cleaned as what it says: quotes that are escaped hide a secret from the patterns."""
        if line.startswith(("{", "[")):
            with contextlib.suppress(ValueError, RecursionError):
                return json.dumps(self._member("", json.loads(line)), ensure_ascii=False)
        return self.text(line)

    def _member(self, name: str, value: Any) -> Any:
        """What a member called ``name`` holds: cleaned, or gone if that name alone says that it is a secret."""
        if isinstance(value, dict):
            return {key: self._member(str(key), one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._member(name, one) for one in value]
        if isinstance(value, str) and value and _SECRET_NAME.search(name):
            self.counts["secret"] += 1
            return "<secret removed>"
        return self.clean(value)

    def text(self, text: str) -> str:
        """One string as it stands."""
        small = text.lower()
        for rule in RULES:
            if not rule.hints or any(hint in small for hint in rule.hints):
                text = self._apply(rule, text)
        if self._addresses:
            text = _V4.sub(lambda match: self._address(match.group(), match.group()), text)
            text = _V6.sub(lambda match: self._address(match.group(), match.group(1)), text)
        return text

    def _apply(self, rule: _Rule, text: str) -> str:
        cleaned, times = rule.pattern.subn(rule.shown, text)
        if cleaned != text:
            self.counts[rule.what] += times
        return cleaned

    def _address(self, shown: str, address: str) -> str:
        try:
            known = str(ip_address(address))
        except ValueError:
            return shown
        self.counts["address"] += 1
        return self._names.setdefault(known, f"address-{len(self._names) + 1}")


_SECRET_NAME = re.compile(rf"{_NAMES}\Z|\A(?:proxy-)?authorization\Z|\A(?:set-)?cookie\Z", _I)


def without_secrets(text: str) -> str:
    """``text`` without keys, tokens and passwords; addresses stay."""
    cleaned: str = Redactor().clean(text)
    return cleaned
