"""Pages that are XML: made as trees, with addresses that name the host."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar
from xml.etree import ElementTree

from datasette.database import QueryInterrupted
from datasette.utils.asgi import Response

from datasette_spack.site.answer import ask_catalog, page_about, shown
from etl.errors import CatalogError

# What no XML may have in it, escaped or not.
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Facts = TypeVar("Facts")


async def xml_answer(
    datasette: Any,
    request: Any,
    content_type: str,
    read: Callable[[Any], Facts],
    make: Callable[[Facts], ElementTree.Element],
) -> Response:
    """The document that ``make`` makes of the facts that ``read`` reads.

    Where there are none, the answer is the page that says why.
    """
    try:
        facts = await ask_catalog(datasette, read)
    except (CatalogError, QueryInterrupted) as error:
        return await shown(datasette, request, page_about(error))
    document = make(facts)
    ElementTree.indent(document)
    body = ElementTree.tostring(document, encoding="utf-8", xml_declaration=True)
    return Response(body, content_type=content_type)


def add(
    parent: ElementTree.Element, name: str, text: str | None = None, **attributes: str
) -> ElementTree.Element:
    """Put an element into another; characters that XML cannot have are replaced."""
    element = ElementTree.SubElement(
        parent, name, {key: xml_text(value) for key, value in attributes.items()}
    )
    if text is not None:
        element.text = xml_text(text)
    return element


def xml_text(text: str) -> str:
    """Text with a replacement character for each that XML cannot have."""
    return _NOT_XML.sub("\ufffd", text)
