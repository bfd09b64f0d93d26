"""A page as a reader has it: its texts, headings, links, tables and forms, whatever the markup."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source"})


@dataclass
class Element:
    """An element with what is in it."""

    tag: str
    attributes: dict[str, str]
    inside: list[Element | str] = field(default_factory=list)

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """The elements below this one, in the order of the page; ``class_`` is one of several."""
        wanted = attributes.pop("class_", None)
        return [
            it
            for it in self.walk()
            if it.tag == tag
            and (wanted is None or wanted in it.attributes.get("class", "").split())
            and attributes.items() <= it.attributes.items()
        ]

    def one(self, tag: str, **attributes: str) -> Element:
        """The only such element."""
        (found,) = self.all(tag, **attributes)
        return found

    def walk(self) -> Iterator[Element]:
        """All elements below this one."""
        for it in self.inside:
            if isinstance(it, Element):
                yield it
                yield from it.walk()

    def by_id(self, id_: str) -> Element:
        """The element with this id."""
        (found,) = [it for it in self.walk() if it.attributes.get("id") == id_]
        return found

    def section(self, id_: str) -> Element:
        """The innermost section whose heading has this id."""
        return [
            it
            for it in self.all("section")
            if any(inner.attributes.get("id") == id_ for inner in it.walk())
        ][-1]

    @property
    def raw(self) -> str:
        """The text as it stands, line feeds and all."""
        return "".join(it if isinstance(it, str) else it.raw for it in self.inside)

    @property
    def text(self) -> str:
        """What one reads: no pictures, and one blank between words."""
        return " ".join(self._read().split())

    def _read(self) -> str:
        if self.tag in ("svg", "script", "style", "select"):
            return " "
        apart = "" if self.tag in ("a", "code", "strong", "span", "em", "th", "td") else " "
        return apart + "".join(it if isinstance(it, str) else it._read() for it in self.inside)

    @property
    def links(self) -> dict[str, str]:
        """Where the links in it lead, by their texts; of equal texts the first."""
        found: dict[str, str] = {}
        for it in self.all("a"):
            found.setdefault(it.text, it.attributes.get("href", ""))
        return found

    @property
    def rows(self) -> list[list[str]]:
        """The rows of the table in it, that of the headings first."""
        return [
            [cell.text for cell in row.inside if isinstance(cell, Element)]
            for row in self.all("tr")
        ]

    @property
    def records(self) -> list[dict[str, str]]:
        """The rows of the table in it by the headings of the columns."""
        header, *rows = self.rows
        return [dict(zip(header, row, strict=True)) for row in rows]

    @property
    def pairs(self) -> dict[str, str]:
        """The terms of the lists in it, each with what is said of it."""
        terms = [it.text for it in self.all("dt")]
        return dict(zip(terms, [it.text for it in self.all("dd")], strict=True))

    @property
    def fields(self) -> dict[str, str]:
        """What a form would send as it is."""
        sent = {it.attributes["name"]: it.attributes.get("value", "") for it in self.all("input")}
        for select in self.all("select"):
            options = select.all("option")
            chosen = [it for it in options if "selected" in it.attributes] or options[:1]
            for it in chosen[:1]:
                sent[select.attributes["name"]] = it.attributes.get("value", it.text)
        return sent

    def options(self, name: str) -> list[str]:
        """What can be chosen from a list of a form, as it would be sent."""
        return [
            it.attributes.get("value", it.text)
            for it in self.one("select", name=name).all("option")
        ]


def parse(html: str) -> Element:
    """The tree of a page; an element that is not closed where it should be fails."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    assert parser.open == [parser.root], [it.tag for it in parser.open]
    return parser.root


def main_of(html: str) -> Element:
    """What is on a page but its frame."""
    return parse(html).one("main")


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].inside.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].inside.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)
