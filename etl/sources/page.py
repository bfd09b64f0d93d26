"""One page: bytes become a :class:`Page` and the problems found on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from etl.page_format.front_matter import FrontMatter, read_front_matter
from etl.page_format.generated import GeneratedPages
from etl.page_format.names import is_hash, is_name, is_tag
from etl.page_format.render import can_render, render_page
from etl.page_format.style import META_KEYS, guess_style, read_style
from etl.page_format.yaml_text import PageError
from etl.page_style import PageStyle
from etl.records import Page, Problem, Spec
from etl.spack.compilers import modern_name
from etl.text import brief

Stacks = tuple[str, ...]

MAX_PROBLEMS = 1_000
"""A page with more specs than this that cannot be read is not read at all."""


class PageReader:
    """Reads pages; values that recur on many of them are checked and kept once."""

    def __init__(self) -> None:
        self._generated = GeneratedPages()
        self._texts = _Texts()
        self._compilers = _Compilers()
        self._variants: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._stacks: dict[Stacks, Stacks] = {}

    def read(self, place: str, data: bytes) -> tuple[Page, list[Problem]]:
        """The page, and what contradicts itself or is refused on it.

        A page that its style does not give back byte for byte keeps its whole text.

        Raises:
            PageError: nothing of the page can be read.
        """
        generated = self._generated.read(data)
        if generated is not None:
            misplaced = _misplaced(place, generated.tag, generated.package)
            return Page(place, *generated), misplaced
        front = read_front_matter(data)
        tag, package, problems = _whose(front, place)
        items = _items(front.details)
        specs, stacks = self._read_items(package, items, place, problems)
        style = guess_style(items, front.details_text or "")
        if render(style, tag, package, specs, stacks) == data:
            return Page(place, tag, package, style, specs, stacks), problems
        meta = front.decode_meta()
        if isinstance(meta, Mapping):
            style = read_style(meta, items, data, style)
        problems += _contradictions(place, meta, items)
        same = render(style, tag, package, specs, stacks) == data
        return Page(place, tag, package, style, specs, stacks, None if same else data), problems

    def _read_items(
        self,
        package: str,
        items: Sequence[Mapping[str, object]],
        place: str,
        problems: list[Problem],
    ) -> tuple[tuple[Spec, ...], tuple[Stacks, ...]]:
        """The specs of a page and the stacks of each, in order."""
        specs: dict[str, Spec] = {}
        all_stacks: list[Stacks] = []
        for number, item in enumerate(items):
            try:
                spec, stacks = self._read_item(package, item)
                if spec.hash in specs:
                    raise PageError(f"hash {spec.hash} is on the page twice")
            except PageError as error:
                problems.append(Problem(f"{place} spec_details[{number}]", "refused", str(error)))
                if len(problems) > MAX_PROBLEMS:
                    raise PageError(
                        f"more than {MAX_PROBLEMS:,} of its specs cannot be read, the last because"
                        f" {error}; the whole page is left out"
                    ) from None
                continue
            specs[spec.hash] = spec
            all_stacks.append(stacks)
        return tuple(specs.values()), tuple(all_stacks)

    def _read_item(self, package: str, item: Mapping[str, object]) -> tuple[Spec, Stacks]:
        texts = self._texts
        try:
            hash_ = item["hash"]
            compiler = self._compilers[item["compiler"]]
            os, platform, target = texts[item["os"]], texts[item["platform"]], texts[item["target"]]
            (only_version,) = _tuple(item["versions"], "versions")
            version = texts[only_version]
        except KeyError as error:
            raise PageError(f"no {error.args[0]}") from None
        except (TypeError, ValueError):
            raise PageError("a value is not of the kind it should be") from None
        if not is_hash(hash_):
            raise PageError(f"{brief(hash_)} is not a spec's hash (32 characters of a-z and 2-7)")
        size = item.get("size")
        return (
            Spec(
                hash_,  # type: ignore[arg-type]
                package,
                version,
                compiler,
                os,
                platform,
                target,
                self._read_variants(item.get("variants")),
                None if size in (None, "-") else _bytes(size),
            ),
            self._read_stacks(item.get("stacks")),
        )

    def _read_variants(self, value: object) -> tuple[str, ...]:
        variants = _tuple(value, "variants")
        try:
            return self._variants[variants]
        except (KeyError, TypeError):
            if not all(isinstance(text, str) and text for text in variants):
                raise PageError("variants is not a list of texts") from None
            known = tuple(self._texts[text] for text in variants)
            return self._variants.setdefault(known, known)

    def _read_stacks(self, value: object) -> Stacks:
        stacks = _tuple(value, "stacks")
        try:
            return self._stacks[stacks]
        except (KeyError, TypeError):
            if not all(map(is_name, stacks)) or len(set(stacks)) != len(stacks):
                raise PageError("stacks is not a list of different names") from None
            return self._stacks.setdefault(stacks, stacks)


class _Texts(dict[object, str]):
    """Texts that were seen: each is checked, and kept, once."""

    def __missing__(self, text: object) -> str:
        if not isinstance(text, str) or not text or not text.isprintable():
            raise PageError(f"{brief(text)} is not a text that a spec can have")
        self[text] = text
        return text


class _Compilers(dict[object, str]):
    """Compilers as pages write them, each with its name of today."""

    def __missing__(self, text: object) -> str:
        if not isinstance(text, str) or not text or not text.isprintable():
            raise PageError(f"{brief(text)} is not a compiler")
        self[text] = modern = modern_name(text)
        return modern


def render(
    style: PageStyle, tag: str, package: str, specs: Sequence[Spec], stacks: Sequence[Stacks]
) -> bytes | None:
    """The page in this style; None where the style cannot be rendered."""
    return render_page(style, tag, package, specs, stacks) if can_render(style) else None


def _whose(front: FrontMatter, place: str) -> tuple[str, str, list[Problem]]:
    """The tag and the package of a page, from what it says, else from where it lies."""
    by_path = _by_path(place)
    tag, package = front.tag or by_path[0], front.package or by_path[1]
    if not is_tag(tag):
        raise PageError(f"categories names no tag ({brief(tag)}); it should be [package, <tag>]")
    if not is_name(package):
        raise PageError(f"title names no package ({brief(package)})")
    return str(tag), str(package), _misplaced(place, str(tag), str(package))


def _by_path(place: str) -> tuple[str | None, str | None]:
    """The tag and the package that the path of a page tells, if it is the site's."""
    root, tag, package, _ = ("", "", "", *place.rsplit("/", 3))[-4:]
    return (tag, package) if root.rpartition("/")[2] == "_cache" else (None, None)


def _misplaced(place: str, tag: str, package: str) -> list[Problem]:
    """Where a page says otherwise than its path."""
    by_path = _by_path(place)
    if by_path == (tag, package):
        return []
    return [
        Problem(place, "contradiction", f"{key} says {said}, the path says {lies}; {key} is used")
        for key, said, lies in (
            ("categories", tag, by_path[0]),
            ("title", package, by_path[1]),
        )
        if lies not in (None, said)
    ]


def _items(details: object) -> Sequence[Mapping[str, object]]:
    items = _tuple(details, "spec_details")
    if not all(isinstance(item, dict) for item in items):
        raise PageError("spec_details is not a list of specs")
    return items


def _tuple(value: object, key: str) -> tuple[Any, ...]:
    """A list as it can be looked up; nothing at all is an empty one, as YAML has it."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise PageError(f"{key} is not a list")
    return tuple(value)


def _bytes(size: object) -> int:
    """A size in bytes; SQLite holds integers below 2^63."""
    number = _number(size)
    if not isinstance(number, int) or isinstance(number, bool) or number >= 2**63:
        raise PageError(f"{brief(size)} is not a size in bytes, nor -")
    return number


_LISTED = {
    "versions": "versions",
    "compilers": "compiler",
    "oss": "os",
    "platforms": "platform",
    "targets": "target",
    "stacks": "stacks",
}
"""The lists in ``meta``, and the key of an item whose values each of them collects."""


def _contradictions(
    place: str, meta: object, items: Sequence[Mapping[str, object]]
) -> list[Problem]:
    """Where ``meta`` says otherwise than the items, those that were refused among them."""
    if not isinstance(meta, Mapping):
        return [] if meta is None else [Problem(place, "contradiction", "meta is not a mapping")]
    stacks = Counter(stack for item in items for stack in _texts_in(item.get("stacks")))
    facts: dict[str, object] = {
        key: sorted({text for item in items for text in _texts_in(item.get(part))})
        for key, part in _LISTED.items()
    }
    facts |= {"num_specs": len(items), "num_specs_by_stack": dict(stacks)}
    return [
        Problem(
            f"{place} meta.{key}",
            "contradiction",
            f"meta says {brief(said)}, spec_details says {brief(fact)}",
        )
        for key in META_KEYS
        if key in meta
        and (said := _comparable(key, meta[key])) != (fact := _comparable(key, facts[key]))
    ]


def _texts_in(value: object) -> set[str]:
    """The texts in a list; of a text alone that one."""
    values = value if isinstance(value, list) else [value]
    return {text for text in values if isinstance(text, str)}


def _comparable(key: str, value: object) -> object:
    """A value of ``meta`` with order, and notation of compilers and numbers, left out."""
    if isinstance(value, Mapping):
        return {name: _number(number) for name, number in value.items()}
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        return sorted(set(map(modern_name, value)) if key == "compilers" else value)
    return _number(value)


def _number(value: object) -> object:
    """The number that a text is; other values as they are."""
    is_number = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20
    return int(str(value)) if is_number else value
