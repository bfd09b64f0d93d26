"""What each attribute of a spec's node means: where the parser knows names and values."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from etl.spack.tokens import Span, SpecSyntaxError, Token
from etl.spack.tree import (
    Edge,
    FlagConstraint,
    Node,
    TargetConstraint,
    VariantConstraint,
    VersionConstraint,
    Word,
)
from etl.spack.variants import FLAG_NAMES, split_values
from etl.spack.versions import VersionError, parse_versions

#: Names that stand for a part of the architecture.
_ARCH_FIELDS = {
    "arch": "arch",
    "architecture": "arch",
    "operating_system": "os",
    "os": "os",
    "platform": "platform",
    "target": "target",
}
#: Names that Spack does not pass on to dependencies.
_NEVER_PROPAGATED = frozenset(
    {*_ARCH_FIELDS, "branch", "commit", "dev_path", "namespace", "patches", "ref", "tag"}
)
#: What Spack replaces by the operating system or the target of the machine it runs on.
_ALIASES = {
    "os": frozenset({"backend", "be", "default_os", "fe", "frontend"}),
    "target": frozenset({"backend", "be", "default_target", "fe", "frontend"}),
}

Machine = Callable[[str], str]
"""Tells the ``os`` or the ``target`` of a machine."""

_BOOLEAN_OPERATORS = {"+": "+", "~": "~", "-": "~", "++": "++", "~~": "~~", "--": "~~"}


def unquoted(token: Token) -> str:
    """The value of a ``name=value`` word, without quotes and the backslashes before inner ones."""
    value = token.match["value"]
    quote = value[0]
    return value[1:-1].replace(f"\\{quote}", quote) if quote in "'\"" else value


class NodeDraft:
    """A node while its attributes are being read.

    ``add`` takes them one by one and refuses what Spack refuses; ``node`` is the result.
    """

    def __init__(self, source: str, machine: Machine | None = None) -> None:
        self.source = source
        self._machine = machine
        self.name: Word | None = None
        self.namespace: Word | None = None
        self.version: VersionConstraint | None = None
        self.hash: Word | None = None
        self.variants: dict[str, VariantConstraint] = {}
        self.flags: list[FlagConstraint] = []
        self.arch: dict[str, Word] = {}

    def fail(self, message: str, span: Span) -> NoReturn:
        """Refuse the text at a place."""
        raise SpecSyntaxError(message, self.source, span)

    def set_name(self, word: Word) -> None:
        """Take ``name``, ``namespace.name`` or ``*``."""
        namespace, dot, name = word.text.rpartition(".")
        start, end = word.span
        if dot:
            self.namespace = Word(namespace, (start, end - len(name) - 1))
        if name != "*":
            self.name = Word(name, (end - len(name), end))

    def add(self, token: Token) -> None:
        """Take one attribute."""
        if token.kind == "boolean":
            self._boolean(token)
        elif token.kind == "pair":
            self._pair(token)
        elif token.kind == "hash":
            self.hash = Word(token.text[1:], token.span)
        else:
            self._version(token)

    def node(self, direct: tuple[Edge, ...], span: Span) -> Node:
        """The finished node."""
        target = self.arch.get("target")
        return Node(
            name=self.name,
            namespace=self.namespace,
            version=self.version,
            variants=tuple(self.variants.values()),
            flags=tuple(self.flags),
            platform=self.arch.get("platform"),
            os=self.arch.get("os"),
            target=self._target(target) if target else None,
            hash=self.hash,
            direct=direct,
            span=span,
        )

    def _version(self, token: Token) -> None:
        if self.version:
            self.fail("a second version: a spec has at most one '@'", token.span)
        text = "".join(token.text[1:].split())
        if token.kind == "version":
            text = text.rstrip(".-")
        try:
            versions = parse_versions(text)
        except VersionError as error:
            self.fail(str(error), token.span)
        self.version = VersionConstraint(text, versions, token.span)

    def _boolean(self, token: Token) -> None:
        name = token.match["flag"]
        if name in _ARCH_FIELDS or name in FLAG_NAMES or name == "namespace":
            self.fail(f"{name} is not a variant: write {name}=...", token.span)
        operator = _BOOLEAN_OPERATORS[token.match["sigil"]]
        value = "true" if operator[0] == "+" else "false"
        self._variant(VariantConstraint(name, (value,), operator, token.span))

    def _pair(self, token: Token) -> None:
        key, operator, value = token.match["key"], token.match["operator"], unquoted(token)
        propagated = operator.endswith("==")
        if propagated:
            self._check_propagation(key, token.span)
        if key in _ARCH_FIELDS:
            self._arch(_ARCH_FIELDS[key], value, token.span)
        elif key == "namespace":
            self.namespace = Word(value, token.span)
        elif key in FLAG_NAMES:
            self.flags.append(FlagConstraint(key, _split_flags(value), propagated, token.span))
        else:
            self._values(key, operator, value, token.span)

    def _values(self, name: str, operator: str, value: str, span: Span) -> None:
        values = split_values(value)
        if len(values) > 1:
            values = split_values(",".join(sorted(set(values))))
        if "," in value and (not values or "*" in values):
            self.fail("'*' stands alone: it means any value", span)
        if not values:
            operator = operator.removeprefix(":")
        elif values in (("true",), ("false",)):
            sigil = "+" if values == ("true",) else "~"
            operator = sigil * 2 if operator.endswith("==") else sigil
        self._variant(VariantConstraint(name, values, operator, span))

    def _variant(self, variant: VariantConstraint) -> None:
        if variant.name == "dev_path":
            self.fail("dev_path is a folder on the machine that built a spec", variant.span)
        if variant.propagated:
            self._check_propagation(variant.name, variant.span)
        if variant.name in self.variants:
            self.fail(f"variant {variant.name[:60]} is given twice", variant.span)
        self.variants[variant.name] = variant

    def _check_propagation(self, name: str, span: Span) -> None:
        if name in _NEVER_PROPAGATED:
            self.fail(f"{name} is not passed on to dependencies: write {name}=...", span)

    def _arch(self, field: str, value: str, span: Span) -> None:
        if not value:
            self.fail(f"expected a value after {field}=", span)
        fields = {field: value}
        if field == "arch":
            parts = value.split("-")
            platform, os, target = parts if len(parts) == 3 else ("", "", value)
            fields = {"platform": platform, "os": os, "target": target}
        for name, text in fields.items():
            if name in self.arch:
                self.fail(f"{name} is given twice", span)
            if text in _ALIASES.get(name, ()):
                if self._machine is None:
                    self.fail(f"{text} depends on the machine: name the {name} itself", span)
                fields[name] = self._machine(name)
        for name, text in fields.items():
            if text not in ("", "None"):  # Spack prints None for what is not known
                self.arch[name] = Word(text, span)

    def _target(self, word: Word) -> TargetConstraint:
        names: list[str] = []
        ranges: list[tuple[str | None, str | None]] = []
        for part in word.text.split(","):
            low, colon, high = part.partition(":")
            if colon:
                ranges.append((low or None, high or None))
            else:
                names.append(part)
        return TargetConstraint(word.text, tuple(names), tuple(ranges), word.span)


def _split_flags(value: str) -> tuple[str, ...]:
    """Flags as Spack takes them apart: a word without ``-`` belongs to the flag before it."""
    flags: list[str] = []
    for word in value.split():
        if flags and not word.startswith("-"):
            flags[-1] += f" {word}"
        else:
            flags.append(word)
    return tuple(flags)
