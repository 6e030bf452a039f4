"""TLS towards the servers of a cluster: whom to trust, who we are, and in words what was refused."""

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from operator_protocol.errors import BadRequest

if TYPE_CHECKING:
    import httpx

_HINT = "check tls_ca, tls_cert and tls_key, and http or https in the URLs"

_WORDS = (
    ("certificate_required", "it wants a client certificate, and was given none"),
    ("unknown_ca", "it does not trust the authority that signed our client certificate"),
    ("certificate_expired", "it finds our client certificate expired"),
    ("certificate_revoked", "it finds our client certificate revoked"),
    ("bad_certificate", "it refuses our client certificate"),
    ("handshake_failure", "it refuses our client certificate, or knows none of our ciphers"),
    ("wrong_version_number", "it speaks no TLS"),
    ("http_request", "it speaks no TLS"),
)
"""By what the alerts and errors of OpenSSL are called, in small letters."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of PEM files. Without an authority that of the system; ``cert`` may hold its key as well."""

    ca: str = ""
    cert: str = ""
    key: str = ""

    def context(self) -> ssl.SSLContext:
        """For ``https`` endpoints. Raises ``BadRequest`` naming the file that cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
        except (OSError, ssl.SSLError) as error:
            raise BadRequest(f"cannot use the CA file {self.ca}: {_reason(error)}", "it is tls_ca") from error
        if self.cert:
            files = self.cert if not self.key else f"{self.cert} with the key {self.key}"
            try:
                # A key that wants a passphrase would be asked for on the terminal.
                context.load_cert_chain(self.cert, self.key or None, password=_no_passphrase)
            except (OSError, ssl.SSLError, ValueError) as error:
                raise BadRequest(
                    f"cannot use the client certificate {files}: {_reason(error)}", "they are tls_cert and tls_key"
                ) from error
        return context


def refusal(error: BaseException) -> tuple[str, str]:
    """What an error of TLS means, in words, and what to check; both empty when it is none."""
    text = str(error)
    if "SSL" not in text.upper() and not isinstance(error, ssl.SSLError):
        return "", ""
    folded = text.lower()
    if "certificate_verify_failed" in folded:
        return f"we do not trust its certificate: {_after_verify(text)}", _HINT
    said = next((words for name, words in _WORDS if name in folded), "")
    return (said or f"TLS failed: {text.partition(chr(10))[0]}"), _HINT


def hung_up(error: "httpx.HTTPError") -> tuple[str, str]:
    """The same of a connection that was lost: the word of a server that refuses us may be lost with it."""
    import httpx  # the settings of every daemon come through here, and only some have an HTTP client

    if isinstance(error, httpx.ReadError | httpx.WriteError | httpx.RemoteProtocolError):
        return "it hung up without an answer, as a server does that refuses our client certificate", _HINT
    return "", ""


def _after_verify(text: str) -> str:
    """``self-signed certificate in certificate chain`` of OpenSSL's line."""
    return text.partition("certificate verify failed: ")[2].partition(" (_ssl.c")[0] or "verification failed"


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        named = (error.reason or "").replace("_", " ").lower()
        return named or "it is no PEM file of that kind"
    return getattr(error, "strerror", None) or str(error)


def _no_passphrase() -> str:
    return ""
