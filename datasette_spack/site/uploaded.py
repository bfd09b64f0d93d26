"""What a form sent: its fields and its one file, within a limit, and in memory only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header

from etl.errors import UsageError

_ROOM = 100_000
"""Bytes that the other fields and what is between them may take."""


class TooLargeError(UsageError):
    """More was sent than is read."""


async def read_form(request: Any, largest: int) -> Mapping[str, str]:
    """The fields that a POST sent; a file is the field of its name, a JSON body is ``body``.

    Args:
        request: Datasette's request.
        largest: Bytes that are read at most.

    Raises:
        TooLargeError: it is larger.
        UsageError: it is no form, or no text in UTF-8.
    """
    body = await _body(request, largest + _ROOM)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    try:
        if kind == b"multipart/form-data" and options.get(b"boundary"):
            return _parts(body, options[b"boundary"])
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError("the file sent is not UTF-8 text; expected a spack.lock") from None
    except FormParserError:
        raise UsageError("the form sent cannot be read") from None
    if kind == b"application/x-www-form-urlencoded" and not text.lstrip().startswith("{"):
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=20))
    return {"body": text}


async def _body(request: Any, largest: int) -> bytes:
    """The body; reading ends where it is larger than what is allowed."""
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await request.receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > largest:
            raise TooLargeError(f"more than {largest // 1_000_000} MB was sent; not read")
        more = message.get("more_body", False)
    return b"".join(parts)


def _parts(body: bytes, boundary: bytes) -> Mapping[str, str]:
    found: dict[str, str] = {}

    def on_field(field: Field) -> None:
        found[(field.field_name or b"").decode("utf-8")] = (field.value or b"").decode("utf-8")

    def on_file(file: File) -> None:
        file.file_object.seek(0)
        found[(file.field_name or b"").decode("utf-8")] = file.file_object.read().decode("utf-8")

    # Files above this size would be written to disk; nothing is, since all of it fits.
    config = {"MAX_MEMORY_FILE_SIZE": len(body) + 1}
    parser = FormParser("multipart/form-data", on_field, on_file, boundary=boundary, config=config)
    parser.write(body)
    parser.finalize()
    return found
