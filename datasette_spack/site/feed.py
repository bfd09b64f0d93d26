"""An Atom feed (RFC 4287) as it is written: what it is, and entries for what happened."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any
from uuid import UUID, uuid5
from xml.etree.ElementTree import Element

from markupsafe import Markup

from datasette_spack.site.addresses import Addresses, origin
from datasette_spack.site.xml_page import add
from etl.browse.news import Names, PackageEvent, TagNews
from etl.browse.query_tags import MAX_SPECS, Specs, TagChanges
from etl.browse.removals import Change
from etl.catalog.asking import Row
from etl.compare.impact import CLOSURES, Impact
from etl.text import counted

CONTENT_TYPE = "application/atom+xml; charset=utf-8"

_ATOM = "http://www.w3.org/2005/Atom"
_IDS = UUID("6f1b5a0e-3c0b-5d0f-9a57-2f6b7d1f0c42")
"""What all ids are made with; never to be changed, or every reader sees every entry again."""

NO_DATE = "1970-01-01"
"""A feed must say when it changed; one that never had an entry says this."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(rf"{_DAY.pattern}T\d\d:\d\d:\d\dZ")

_PARAGRAPH = Markup("<p>{}</p>")
_LIST = Markup("<p>{} ({:,}): {}</p>")
_LINKS = Markup('<p><a href="{}">{}</a>, <a href="{}">all changes since {}</a></p>')
_SPEC = Markup('<a href="{}">{}@{} <code>/{}</code></a>')
_RANKED = Markup('<a href="{}">{}</a> ({:,})')
_MORE = Markup('{} and <a href="{}">{} more</a>')


class Feed:
    """A feed as it is written: what it is, then its entries, the newest first."""

    def __init__(self, datasette: Any, request: Any, path: str, about: str) -> None:
        self._origin = origin(datasette, request)
        self._site = Addresses(datasette)
        self._path = path
        self._about = about
        self._root = Element("feed", {"xmlns": _ATOM, "xml:lang": "en"})
        self._entries: list[tuple[str, Element]] = []
        self._no_entry = NO_DATE

    def begin(self, key: tuple[str, ...], title: str, date: str = NO_DATE) -> None:
        """Say what the feed is; one without entries changed at this date last."""
        self._no_entry = date
        add(self._root, "id", _id(*key))
        add(self._root, "title", title)
        add(self._root, "subtitle", "Binaries added to Spack's build caches and removed from them")

    def finished(self) -> Element:
        """The feed with its entries, the newest first, and when the newest of them changed."""
        # Stable: what changed at the same time stays in the order in which it was added.
        entries = sorted(self._entries, key=itemgetter(0), reverse=True)
        times = [time for time, _ in entries]
        add(self._root, "updated", max(times, default=_time(self._no_entry)))
        add(add(self._root, "author"), "name", "spack-catalog")
        self._link(self._root, "self", self._path, CONTENT_TYPE.partition(";")[0])
        self._link(self._root, "alternate", self._about, "text/html")
        self._root.extend(entry for _, entry in entries)
        return self._root

    def tags(
        self, news: Iterable[TagNews], changes: Iterable[Change], stack: str | None = None
    ) -> None:
        """Add the entries for tags, and for what was removed from them and returned."""
        for it in news:
            self.tag(it, stack)
        for change in changes:
            self.change(
                change, ("stack", stack) if stack else (), f"stack {stack}" if stack else ""
            )

    def change(
        self, it: Change, about: tuple[str, ...], what: str, still_gone: Sequence[Row] = ()
    ) -> None:
        """Add an entry for what was removed from a tag, or returned to it; ``what`` is of what.

        ``still_gone`` are specs that were removed and did not return, to be named.
        """
        if it.event == "left":
            self._stacks_left(it)
            return
        count = f"{it.binaries:,} {_plural('binary', 'binaries', it.binaries)}"
        packages = it.package if it.packages == 1 else f"{it.packages:,} packages"
        whose = f" of {what}" if what else ""
        if it.event == "removed":
            title = f"{it.tag}: {count}{whose} removed"
            text = f"{count} of {packages} removed from {it.tag}: gone since {it.at}."
            if it.whole:
                text += f" {it.tag} has no binary left."
            if it.still_in and it.elsewhere == it.binaries == 1:
                text += f" The same spec is in {it.still_in}."
            elif it.still_in:
                text += f" Of {it.elsewhere:,} the same spec is in {it.still_in} or another tag."
        else:
            title = f"{it.tag}: {count}{whose} returned"
            text = f"{count} of {packages} returned to {it.tag}."
        key = (it.event, it.tag, it.at, *about)
        entry = self._entry(key, title, it.at, self._site.tag(it.tag))
        add(entry, "summary", text)
        if still_gone:
            removed = Specs(tuple(still_gone[:MAX_SPECS]), it.binaries)
            listed = self._specs(removed, self._site.tag(it.tag))
            specs = _LIST.format("Removed", removed.total, listed)
            add(entry, "content", f"{_PARAGRAPH.format(text)}\n{specs}", type="html")

    def _stacks_left(self, it: Change) -> None:
        """Add an entry for stacks that left a tag."""
        stacks = f"{_plural('stack', 'stacks', len(it.stacks))} {', '.join(it.stacks)}"
        key = (it.event, it.tag, it.at, *it.stacks)
        entry = self._entry(key, f"{it.tag}: {stacks} removed", it.at, self._site.tag(it.tag))
        text = f"{stacks[0].upper()}{stacks[1:]} removed from {it.tag}: gone since {it.at}."
        add(entry, "summary", f"{text} The binaries of its other stacks are still there.")

    def query_tag(
        self,
        it: TagChanges,
        asked: str,
        what: str,
        found_in: Callable[[str], str],
        stack: str | None,
    ) -> None:
        """Add an entry for what of a query, ``what``, was added to a tag or removed from it.

        ``asked`` is the whole question, ``found_in`` gives the path of what answers it in a tag.
        """
        lists = (
            ("added", it.added, it.tag),
            ("rebuilt", it.rebuilt, it.tag),
            ("removed", it.removed, it.previous),
        )
        told = [(word, specs, tag) for word, specs, tag in lists if specs.total]
        words = [f"{specs.total:,} {word}" for word, specs, _ in told]
        words[0] = f"{counted(told[0][1].total, 'binary', 'binaries')} {told[0][0]}"
        counts = ", ".join(words)
        key = ("query tag", it.tag, asked)
        entry = self._entry(key, f"{it.tag}: {counts} ({what})", it.date, found_in(it.tag))
        compare_path = self._site.compare(it.previous, it.tag, stack=stack)
        self._link(entry, "related", compare_path, "text/html")
        summary = f"{counts} since {it.previous}."
        add(entry, "summary", summary)
        content = [_PARAGRAPH.format(summary)]
        content += [
            _LIST.format(word.capitalize(), specs.total, self._specs(specs, found_in(tag)))
            for word, specs, tag in told
        ]
        content.append(
            _LINKS.format(
                self._origin + found_in(it.tag),
                f"{what} in {it.tag}",
                self._origin + compare_path,
                it.previous,
            )
        )
        add(entry, "content", str(Markup("\n").join(content)), type="html")

    def _specs(self, specs: Specs, all_of_them: str) -> Markup:
        """Links to the first specs, and one to where there are all of them."""
        first = Markup(", ").join(
            _SPEC.format(
                self._origin + self._site.spec(it["hash"]),
                *(it["package"], it["version"], it["hash"][:7]),
            )
            for it in specs.first
        )
        more = specs.total - len(specs.first)
        return _MORE.format(first, self._origin + all_of_them, f"{more:,}") if more else first

    def impact(self, it: Impact, date: str, path: str) -> None:
        """Add an entry for what contains something in a tag; ``path`` is where all of it is."""
        count, packages = counted(it.listed, "binary", "binaries"), it.packages
        contain = f"{'contain' if it.listed > 1 else 'contains'} {it.what}"
        title = f"{it.tag}: {count if it.listed else 'no binary'} {contain}"
        summary = (
            f"{count} of {counted(len(packages), 'package')} in"
            f" {counted(len(it.stacks), 'stack')}: {CLOSURES[it.closure]}."
        )
        entry = self._entry(("impact", it.tag, it.what, it.closure), title, date, path)
        add(entry, "summary", summary)
        ranked = Markup(", ").join(
            _RANKED.format(
                self._origin + self._site.package(row["package"], tag=it.tag),
                row["package"],
                row["binaries"],
            )
            for row in packages[:MAX_SPECS]
        )
        if (more := len(packages) - MAX_SPECS) > 0:
            ranked = _MORE.format(ranked, self._origin + path, f"{more:,}")
        content = [_PARAGRAPH.format(summary), *([_PARAGRAPH.format(ranked)] if packages else [])]
        add(entry, "content", str(Markup("\n").join(content)), type="html")

    def tag(self, news: TagNews, stack: str | None = None) -> None:
        """Add an entry for a tag, or for what a stack has in it."""
        size = (
            f"{news.binaries:,} {_plural('binary', 'binaries', news.binaries)} of "
            f"{news.packages:,} {_plural('package', 'packages', news.packages)}"
        )
        lists = (
            ("Packages added", news.added),
            ("Packages removed", news.removed),
            ("Newer versions", news.newer),
        )
        summary, content = f"{size}.", [_PARAGRAPH.format(f"{size}.")]
        tag_path = self._site.stack(stack, tag=news.tag) if stack else self._site.tag(news.tag)
        compare_path = None
        if news.previous is not None:
            counts = ", ".join(f"{title.lower()}: {names.total:,}" for title, names in lists)
            summary = f"{size}. Since {news.previous}: {counts}."
            compare_path = self._site.compare(news.previous, news.tag, stack=stack)
            content += [
                _LIST.format(title, names.total, _listed(names))
                for title, names in lists
                if names.total
            ]
            content.append(
                _LINKS.format(
                    self._origin + tag_path, news.tag, self._origin + compare_path, news.previous
                )
            )
        key = ("tag", news.tag, stack) if stack else ("tag", news.tag)
        title = f"Stack {stack} in {news.tag}" if stack else f"Tag {news.tag}"
        entry = self._entry(key, title, news.date, tag_path)
        if compare_path is not None:
            self._link(entry, "related", compare_path, "text/html")
        add(entry, "summary", summary)
        add(entry, "content", str(Markup("\n").join(content)), type="html")

    def event(self, package: str, it: PackageEvent, asked: str = "") -> None:
        """Add an entry for what happened to a package, or to what satisfies a query."""
        count = f"{it.binaries:,} {_plural('binary', 'binaries', it.binaries)}"
        if it.kind == "version":
            key = ("version", package, str(it.version), *([asked] if asked else []))
            title = f"{package} {it.version}"
            text = f"First seen in {it.tag}, with {count}."
            path = self._site.package(package, tag=it.tag, version=it.version)
        else:
            key = (it.kind, package, it.tag)
            title = f"{package} was removed" if it.kind == "gone" else f"{package} is {it.kind}"
            path = self._site.tag(it.tag)
            text = (
                f"{it.tag} no longer has binaries of {package}."
                if it.kind == "gone"
                else f"{it.tag} has {package} again, with {count}."
            )
        entry = self._entry(key, title, it.date, path)
        add(entry, "summary", text)

    def _entry(self, key: tuple[str, ...], title: str, date: str, path: str) -> Element:
        entry = Element("entry")
        self._entries.append((_time(date), entry))
        add(entry, "id", _id(*key))
        add(entry, "title", title)
        add(entry, "updated", _time(date))
        self._link(entry, "alternate", path, "text/html")
        return entry

    def _link(self, parent: Element, rel: str, path: str, kind: str) -> None:
        add(parent, "link", rel=rel, href=self._origin + path, type=kind)


def _id(*key: str) -> str:
    """The id of what these names are the whole of; as JSON, so that they do not run together."""
    return uuid5(_IDS, json.dumps(key)).urn


def _time(date: str) -> str:
    """A day, or a time as catalogs record it, as RFC 3339 has it; what is neither is no date."""
    if _DAY.fullmatch(date):
        return f"{date}T00:00:00Z"
    return date if _TIME.fullmatch(date) else _time(NO_DATE)


def _plural(one: str, many: str, number: int) -> str:
    return one if number == 1 else many


def _listed(names: Names) -> str:
    more = names.total - len(names.first)
    text = ", ".join(names.first)
    return f"{text} and {more:,} more" if more else text
