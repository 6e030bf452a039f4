"""The answers in the OpenAPI document: FastAPI knows pydantic's models, and these are msgspec's."""

from typing import Any

import msgspec

_AT = "#/answers/"


def answer_schema(answer: type[msgspec.Struct]) -> dict[str, Any]:
    """JSON schema of ``answer``, everything that it refers to put in where it is referred to."""
    (schema,), parts = msgspec.json.schema_components([answer], ref_template=f"{_AT}{{name}}")
    found: dict[str, Any] = _put_in(schema, parts)
    return found


def _put_in(schema: Any, parts: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_put_in(one, parts) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _put_in(parts[schema["$ref"].removeprefix(_AT)], parts)
    return {key: _put_in(value, parts) for key, value in schema.items()}
