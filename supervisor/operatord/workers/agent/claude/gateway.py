"""The line to the Messages API: the only module that knows the client library, and the only way out of the host.

Every request passes ``Redactor.clean`` on its way. The library is imported when the line is made. Its own retries are
off: whoever waits for a diagnosis gets that of the rules instead, and the ticket is tried again later.
"""

import asyncio
import math
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import anthropic
import httpx2

from operatord.workers.agent.bundle.findings import one_line
from operatord.workers.agent.claude.failure import GaveUp, Kind, Reason
from operatord.workers.agent.claude.spending import Usage
from operatord.workers.agent.redaction import Redactor
from operatord.workers.agent.settings import KEY_VARIABLE, AgentSettings

Json: TypeAlias = dict[str, Any]
"""A part of a message as the API has it."""

_MAX_RESPONSE_BYTES = 4 << 20
"""An answer of the largest size that is asked for is a tenth of this."""
_CONNECT_S = 5.0
_LONGEST_REST_S = 3_600.0
"""Whatever the API asks for: an hour later it is asked again."""
_NO_MESSAGE = "base_url in [agent] answers with something that is no message of the API"
_BAD_KEY = f"the key cannot be sent: check {KEY_VARIABLE}, or key_file in [agent]; a key is one line of ASCII"
_TRANSIENT_STATUS = (408, 409, 425, 429, 500, 502, 503, 504, 529)
_ADVICE: Mapping[int, str] = {
    401: f"the key is not accepted: check {KEY_VARIABLE}, or key_file in [agent]",
    402: "the account has no credit",
    403: "the key may not use this model",
    404: "there is no such model, or base_url is wrong: check model and base_url in [agent]",
    413: "the request was too large",
    429: "too many requests",
    529: "the API is overloaded",
}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that Claude wants to have run."""

    id: str
    name: str
    args: Json


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the API."""

    stop_reason: str
    text: str
    thoughts: tuple[str, ...]
    calls: tuple[ToolCall, ...]
    content: list[Json]
    """As it must be sent back to go on with the conversation."""
    usage: Usage


class Gateway:
    """Sends requests; what goes wrong is raised as ``GaveUp`` with a reason for a person."""

    def __init__(self, settings: AgentSettings, redactor: Redactor) -> None:
        self._settings = settings
        self._redactor = redactor
        self._key = read_key(settings)
        self._client = anthropic.AsyncAnthropic(
            api_key=self._key,
            base_url=settings.base_url or None,
            max_retries=0,
            timeout=httpx2.Timeout(settings.call_timeout_s, connect=min(_CONNECT_S, settings.call_timeout_s)),
            # With the proxies of the environment; a redirect would carry the key to somebody else.
            http_client=anthropic.DefaultAsyncHttpxClient(event_hooks={"response": [_bound]}, follow_redirects=False),
        )

    async def send(
        self, system: Sequence[Json], messages: Sequence[Json], tools: Sequence[Json], output: Json, *, final: bool
    ) -> Reply:
        """One request; ``final`` forbids further tools. Raises ``GaveUp``."""
        settings = self._settings
        request: dict[str, Any] = {
            "model": settings.model,
            "max_tokens": settings.max_answer_tokens,
            "system": self._redactor.clean(list(system)),
            "messages": [self._outgoing(message) for message in messages],
            "tools": list(tools),
            "tool_choice": {"type": "none" if final else "auto"},
            "thinking": {"type": "adaptive", "display": "summarized"},
            "output_config": {"effort": settings.effort, "format": output},
        }
        try:
            async with asyncio.timeout(settings.call_timeout_s):
                answer: object = await self._client.messages.create(**request)
        except TimeoutError as error:
            told = Reason("transient", f"no answer within {settings.call_timeout_s:g} s")
            raise GaveUp(told, may_be_charged=True) from error
        except (anthropic.AnthropicError, httpx2.HTTPError, ValueError, TypeError) as error:
            raise GaveUp(self._fit_to_tell(_why(error)), may_be_charged=_was_cut_off(error)) from error
        return _read(answer)

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.close()

    def _fit_to_tell(self, reason: Reason) -> Reason:
        """Whoever refuses a key may quote it, and a reason is kept with its ticket and read by everybody."""
        text = reason.text.replace(self._key, "<key removed>") if self._key else reason.text
        return replace(reason, text=self._redactor.text(text))

    def _outgoing(self, message: Json) -> Json:
        """What came from the API goes back as it came (its thoughts are signed); what is ours is cleaned."""
        if message["role"] == "assistant":
            return message
        cleaned: Json = self._redactor.clean(message)
        return cleaned


def read_key(settings: AgentSettings) -> str | None:
    """The key: from the file of the configuration, else from the environment; None where there is none."""
    if settings.key_file:
        try:
            key = Path(settings.key_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise GaveUp(Reason("lasting", f"key_file in [agent] cannot be read: {error}")) from error
    else:
        key = (os.environ.get(KEY_VARIABLE) or "").strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise GaveUp(Reason("lasting", _BAD_KEY))
    return key or None


def _why(error: Exception) -> Reason:
    if isinstance(error, anthropic.APIStatusError):
        code = error.status_code
        kind: Kind = "transient" if code in _TRANSIENT_STATUS else "lasting"
        told = one_line(error.api_message or "", 160)
        text = _ADVICE.get(code, "the API failed" if code >= 500 else "the API refused the request")
        return Reason(kind, f"{text} (HTTP {code}{f': {told}' if told else ''})", _retry_after(error))
    if isinstance(error, anthropic.APITimeoutError):
        return Reason("transient", "no answer in time")
    if isinstance(error.__cause__, _TooLarge):
        return Reason("unfit", str(error.__cause__))
    if isinstance(error.__cause__, httpx2.LocalProtocolError) or isinstance(error, UnicodeEncodeError):
        return Reason("lasting", _BAD_KEY)  # a header that cannot be sent; the error would quote it
    if isinstance(error, anthropic.APIConnectionError):
        cause = error.__cause__ or error
        return Reason("transient", f"the API cannot be reached: {one_line(str(cause), 160) or type(cause).__name__}")
    if isinstance(error, anthropic.APIResponseValidationError | ValueError):
        return Reason("lasting", _NO_MESSAGE)
    if isinstance(error, TypeError):
        return Reason("lasting", f"there is no key: set {KEY_VARIABLE}, or key_file in [agent]")
    return Reason("transient", f"the API could not be asked: {one_line(str(error), 160)}")


def _was_cut_off(error: Exception) -> bool:
    """True when the request may have been taken on: what was answered with a status, or never sent, costs nothing."""
    if isinstance(error, anthropic.APIConnectionError):
        return not isinstance(
            error.__cause__,
            httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.LocalProtocolError | httpx2.UnsupportedProtocol,
        )
    return isinstance(error, httpx2.HTTPError)


def _retry_after(error: anthropic.APIStatusError) -> float | None:
    try:
        rest_s = float(error.response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return None if math.isnan(rest_s) else min(max(0.0, rest_s), _LONGEST_REST_S)


def _read(answer: object) -> Reply:
    # The library builds its types without checking them: a proxy may have answered anything.
    told: Any = answer
    content = getattr(told, "content", None)
    used = getattr(told, "usage", None)
    if not isinstance(told, anthropic.types.Message) or not isinstance(content, list) or used is None:
        raise GaveUp(Reason("lasting", _NO_MESSAGE))
    texts, thoughts, calls = [], [], []
    for block in content:
        if block.type == "text":
            texts.append(str(block.text))
        elif block.type == "thinking":
            thoughts.append(str(block.thinking))
        elif block.type == "tool_use":
            calls.append(ToolCall(block.id, block.name, dict(block.input) if isinstance(block.input, Mapping) else {}))
    return Reply(
        stop_reason=told.stop_reason or "",
        text="".join(texts),
        thoughts=tuple(thought for thought in thoughts if thought),
        calls=tuple(calls),
        content=[block.to_dict(mode="json") for block in content],
        usage=Usage(
            _count(used, "input_tokens"),
            _count(used, "output_tokens"),
            _count(used, "cache_read_input_tokens"),
            _count(used, "cache_creation_input_tokens"),
        ),
    )


def _count(used: Any, name: str) -> int:
    """Tokens; what is no number of them, or less than none, would give budget back."""
    told = getattr(used, name, None)
    return max(0, told) if isinstance(told, int) else 0


class _TooLarge(httpx2.TransportError):
    """More was sent than any answer may have."""


async def _bound(response: httpx2.Response) -> None:
    """Hook of the client: stop reading an answer that has no end."""
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Counted(response.stream)


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for part in self._inner:
            read += len(part)
            if read > _MAX_RESPONSE_BYTES:
                raise _TooLarge(f"an answer of more than {_MAX_RESPONSE_BYTES >> 20} MiB")
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()
