"""What the gateway answers when it cannot do what was asked: one shape for all routes.

Every error is ``{"error": {"code", "message", "hint"}}``: a word for a program, a line for a person, and what to do
next. Errors of the daemon keep their code of the wire and get the status that fits it.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from operator_protocol.errors import OperatorError

RETRY_AFTER_S = 5
"""What an answer that may be better later says about when, unless it knows better."""
_STATUS_OF_CODE = {
    "bad_request": 422,
    "unknown_command": 501,
    "unauthorized": 403,
    "version_mismatch": 502,
    "not_found": 404,
    "conflict": 409,
    "no_target": 409,
    "unavailable": 503,
    "deadline_exceeded": 504,
    "internal": 502,
}
_MEANING = {
    400: "The request cannot be read.",
    401: "The control token is missing, wrong or expired.",
    403: "Another origin, or no rights.",
    404: "There is no such thing.",
    405: "The address does not take this method.",
    409: "The present state forbids it.",
    413: "The body is too large.",
    421: "The Host is not one of this gateway's.",
    422: "A parameter is missing, unknown or out of range.",
    429: "Too many requests.",
    501: "The daemon is older and does not know this.",
    502: "The daemon failed.",
    503: "The source behind it does not answer.",
    504: "It was not done in time; what was begun goes on.",
}


class ErrorDetail(BaseModel):
    """What went wrong."""

    code: str = Field(description="A word for a program.")
    message: str = Field(description="What happened, in one line.")
    hint: str = Field(description="What to do next; may be empty.")


class ErrorDocument(BaseModel):
    """The body of every answer that is not a success."""

    error: ErrorDetail


class ApiError(OperatorError):
    """An answer with ``status`` that is not a success; ``word`` is its machine code."""

    def __init__(
        self, status: int, code: str, message: str, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.word = code
        self.headers = dict(headers or {})
        if status in (429, 503):
            self.headers.setdefault("Retry-After", str(RETRY_AFTER_S))

    def to_wire(self) -> dict[str, Any]:
        """As on the bus, with the word of this error."""
        return {**super().to_wire(), "code": self.word}


def document(code: str, message: str, hint: str = "") -> dict[str, dict[str, str]]:
    """The body of an error."""
    return {"error": {"code": code, "message": message, "hint": hint}}


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route that may answer with these errors says of them in the OpenAPI document."""
    return {status: {"model": ErrorDocument, "description": _MEANING[status]} for status in statuses}


def as_api_error(error: OperatorError) -> ApiError:
    """The answer that stands for an error of the daemon or of the client library."""
    if isinstance(error, ApiError):
        return error
    return ApiError(_STATUS_OF_CODE.get(error.code, 502), error.code, error.message, error.hint)


def install_handlers(app: FastAPI) -> None:
    """Let ``app`` answer every failure in the one shape."""
    app.add_exception_handler(OperatorError, _operator_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)


def _answer(error: ApiError) -> JSONResponse:
    return JSONResponse(document(error.word, error.message, error.hint), error.status, error.headers)


async def _operator_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, OperatorError):
        raise error
    return _answer(as_api_error(error))


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    return _answer(ApiError(422, "bad_parameter", _told(error.errors()), "/api/openapi.json has what is taken"))


def _told(failures: Sequence[Mapping[str, Any]]) -> str:
    """The first failures in words; what was sent is not repeated."""
    lines = []
    for failure in failures[:3]:
        # Pydantic names the branches of a union after its own insides.
        parts = [str(part) for part in failure.get("loc", ())[1:]]
        where = ".".join(part for part in parts if part.isdigit() or part.isidentifier()) or "body"
        if failure.get("type") == "json_invalid":
            where = "body"  # and not the position in it
        lines.append(f"{where}: {failure.get('msg', 'invalid')}")
    return "; ".join(lines) or "the request is not valid"


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    try:
        phrase = HTTPStatus(error.status_code).phrase
    except ValueError:
        phrase = "error"
    code = phrase.lower().replace(" ", "_").replace("-", "_")
    return _answer(ApiError(error.status_code, code, str(error.detail or phrase), "", error.headers))
