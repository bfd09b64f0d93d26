"""A walk over the links of a served catalog: what is broken in them.

Pages are many, kinds of pages few: of each kind, a path with its names left out and the names of
its arguments, so many are asked for.  ``python -m tests.crawl CATALOG [MOST]`` says what it finds.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

from tests.html_tree import Element, parse

_ESCAPED = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?#]|%[0-9A-Fa-f]{2})*")
"""What an address may consist of."""

_NAMED = frozenset({"package", "spec", "tag", "stack", "virtual", "badge", "compare"})
"""First parts of paths after which names come."""

_FIXED = frozenset({"dependents", "impact", "spec"})
"""Parts of paths that are no names, though they come after such first parts."""

_ORIGIN = "http://localhost"


@dataclass
class Crawl:
    """What a walk has seen: how many pages of each kind, and what is wrong with which address."""

    asked: Counter[str] = field(default_factory=Counter)
    links: int = 0
    wrong: list[str] = field(default_factory=list)


async def crawl(client: Any, most: int, start: str = "/", depth: int = 2) -> Crawl:
    """Follow the links from a page on, to ``most`` pages of each kind.

    Pages with ``depth`` arguments or more are looked at, but their links are not followed: those
    of tables and searches lead to all combinations.

    Wrong is an address that is not escaped, an answer that is no success, a fragment that its page
    does not have, an id that is twice on a page, and a page whose elements are not closed.
    """
    found = Crawl()
    todo = deque([(start, "")])
    known = {start}
    fragments: dict[str, set[str]] = {}
    while todo:
        address, origin = todo.popleft()
        path, _, fragment = address.partition("#")
        if path in fragments:
            if fragment and unquote(fragment) not in fragments[path]:
                found.wrong.append(f"{origin}: {address}: no such place")
            continue
        kind = kind_of(path)
        if found.asked[kind] >= most:
            continue
        found.asked[kind] += 1
        response = await client.get(path, follow_redirects=True)
        if response.status_code != 200:
            found.wrong.append(f"{origin}: {address}: {response.status_code}")
            continue
        if not response.headers.get("content-type", "").startswith("text/html"):
            continue
        try:
            page = parse(response.text)
        except AssertionError as error:
            found.wrong.append(f"{address}: {error}")
            continue
        ids = Counter(it.attributes["id"] for it in page.walk() if "id" in it.attributes)
        found.wrong += [f"{address}: id {it} is there twice" for it in ids if ids[it] > 1]
        fragments[path] = {*ids}
        if fragment and unquote(fragment) not in ids:
            found.wrong.append(f"{origin}: {address}: no such place")
        for href in links_of(page):
            found.links += 1
            if not _ESCAPED.fullmatch(href):
                found.wrong.append(f"{address}: {href}: not escaped")
            whole = urljoin(f"{_ORIGIN}{path}", href)
            if whole.startswith(f"{_ORIGIN}/") and path.count("=") < depth:
                inner = whole.removeprefix(_ORIGIN)
                if inner not in known:
                    known.add(inner)
                    todo.append((inner, path))
    return found


def links_of(page: Element) -> Iterator[str]:
    """All addresses that a page has."""
    for it in page.walk():
        for name in ("href", "src", "action"):
            if it.attributes.get(name):
                yield it.attributes[name]


def kind_of(address: str) -> str:
    """The kind of page that an address is of: ``/tag/…?q&sort``, ``/catalog/…?_sort``."""
    parts = urlsplit(address)
    first, *rest = parts.path.strip("/").split("/")
    ending = "".join(re.findall(r"\.(?:json|csv|atom|svg|db|xml)$", parts.path))
    names = ["…" if first in _NAMED and it not in _FIXED else it for it in rest]
    if first not in _NAMED and len(rest) > 1:  # a row of a table
        names[1:] = ["…"] * (len(rest) - 1)
    arguments = sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)})
    if first not in _NAMED and rest and arguments:  # the same of every table
        names = ["…"]
        arguments = sorted({it if it.startswith("_") else "column" for it in arguments})
    path = "/".join([first, *names]).removesuffix(ending)
    return f"/{path}{ending}?{'&'.join(arguments)}"


async def _main(catalog: Path, most: int) -> int:
    from datasette_spack.serve import datasette_for

    datasette = datasette_for(catalog)
    await datasette.invoke_startup()
    found = await crawl(datasette.client, most)
    for kind, number in sorted(found.asked.items()):
        print(f"{number:6,}  {kind}")
    pages = sum(found.asked.values())
    print(f"{pages:,} pages of {len(found.asked)} kinds, {found.links:,} links")
    print("\n".join(found.wrong) or "nothing wrong")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(asyncio.run(_main(Path(arguments[0]), int(arguments[1]) if arguments[1:] else 20)))
