"""Read specs, in Spack's syntax, as trees.

The grammar, in the words of :mod:`etl.spack.tokens`::

    specs     = { spec }
    spec      = node { direct } { '^' edge node { direct } }      at least one word
    direct    = ( '%' | '%%' ) edge node
    edge      = [ '[' { ( 'virtuals' | 'deptypes' ) '=' list | 'when' '=' spec } ']' ]
                [ virtual { ',' virtual } '=' ]
    node      = [ name | namespace '.' name | '*' ] { attribute } nothing is any package
    attribute = '@' versions                                      once
              | ( '+' | '~' | '-' | '++' | '~~' | '--' ) name     once for each variant
              | name ( '=' | ':=' | '==' | ':==' ) value          once for each variant
              | '/' hash                                          a second one begins a new spec

``name=value`` is a variant unless the name is one of ``os``, ``operating_system``, ``platform``,
``target``, ``arch``, ``architecture``, ``namespace`` or a compiler flag.  The rules are those of
``SpecParser`` in Spack 1.1.0.  Where Spack reads what has no meaning in a catalog, or guesses, the
text is refused: ``dev_path=``, file names, a boolean sigil before an architecture field, an empty
name in a list of virtuals, a closing quote with a backslash before it.  The same dependency given
twice stays two constraints; Spack tries to make them one, and refuses what does not fit together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NoReturn

from etl.spack.compilers import MODERN_NAMES
from etl.spack.node_attributes import Machine, NodeDraft, unquoted
from etl.spack.tokens import Span, SpecSyntaxError, Token, is_identifier, tokenize
from etl.spack.tree import Edge, Node, SpecQuery, Word
from etl.spack.variants import FLAG_NAMES

__all__ = ["SpecSyntaxError", "parse_arguments", "parse_spec", "parse_specs"]

DEPTYPES = ("build", "link", "run", "test")

_UNQUOTED_FLAGS = re.compile(
    rf"""\A((?:{"|".join(sorted(FLAG_NAMES))}):?==?)([^='"][^"]* [^"]*)\Z"""
)


def parse_spec(text: str, machine: Machine | None = None) -> SpecQuery:
    """Read exactly one spec.

    ``machine`` is what ``os=be`` and ``target=fe`` stand for; without one they are refused.

    Raises:
        SpecSyntaxError: the text is not one spec, or asks for what a catalog cannot answer.
    """
    parser = _Parser(text, machine)
    if parser.check("end"):
        raise SpecSyntaxError("expected a spec; '*' is any", text, (0, len(text)))
    spec = parser.spec()
    if not parser.check("end"):
        parser.fail("expected a single spec; a second one begins here")
    return spec


def parse_specs(text: str, machine: Machine | None = None) -> tuple[SpecQuery, ...]:
    """Read all specs in a text, which are separated by blanks; none in a blank text.

    ``machine`` is as for :func:`parse_spec`.

    Raises:
        SpecSyntaxError: as :func:`parse_spec`.
    """
    parser = _Parser(text, machine)
    specs = []
    while not parser.check("end"):
        specs.append(parser.spec())
    return tuple(specs)


def parse_arguments(
    arguments: Iterable[str], machine: Machine | None = None
) -> tuple[SpecQuery, ...]:
    """Read all specs in what a shell hands over: ``hdf5 +mpi`` is one spec, quoted or not.

    Arguments are joined with blanks, as Spack's own commands do (``spack.cmd.parse_specs``), and
    flags with blanks get back the quotes that the shell has taken: ``cflags="-O2 -g"``.

    Raises:
        SpecSyntaxError: as :func:`parse_spec`.
    """
    return parse_specs(" ".join(map(_with_quotes, arguments)), machine)


def _with_quotes(argument: str) -> str:
    return _UNQUOTED_FLAGS.sub(r'\1"\2"', argument)


@dataclass(slots=True)
class _EdgeAttributes:
    """What stands in the brackets after a sigil."""

    deptypes: tuple[str, ...] = ()
    virtuals: tuple[str, ...] = ()
    when: SpecQuery | None = None


class _Parser:
    """One pass over the words of a text, one method for each rule of the grammar."""

    def __init__(self, source: str, machine: Machine | None) -> None:
        self.source = source
        self.machine = machine
        self.tokens = tokenize(source)
        self.index = 0

    def check(self, *kinds: str) -> bool:
        """Whether the next word is of one of these kinds."""
        return self.tokens[self.index].kind in kinds

    def read(self) -> Token:
        """The next word, which is then behind us."""
        token = self.tokens[self.index]
        self.index += 1
        return token

    def word(self) -> Word:
        """The next word as a part of the tree."""
        token = self.read()
        return Word(token.text, token.span)

    def here(self) -> Span:
        """Where the next word is, or the empty place at the end."""
        return self.tokens[self.index].span

    def end(self) -> int:
        """Where the last word that was read ends."""
        return self.tokens[self.index - 1].span[1] if self.index else 0

    def fail(self, message: str, span: Span | None = None) -> NoReturn:
        """Refuse the text at a place; without one, at the next word."""
        raise SpecSyntaxError(message, self.source, span or self.here())

    def spec(self) -> SpecQuery:
        """Spec = node { direct } { '^' edge node { direct } }."""
        first = self.index
        root = self.node()
        dependencies = []
        while self.check("edge", "edge_open"):
            dependencies.append(self.edge())
        if self.index == first:
            self.fail("expected a spec")
        return SpecQuery(root, tuple(dependencies), self.source)

    def edge(self) -> Edge:
        """Edge = [ '[' { name '=' value } ']' ] [ virtual { ',' virtual } '=' ]."""
        sigil = opening = self.read()
        attributes = _EdgeAttributes()
        if sigil.kind == "edge_open":
            while not self.check("edge_close"):
                self.edge_attribute(attributes)
            opening = self.read()
        virtuals = attributes.virtuals
        package = None
        if "=" in opening.text:
            names, _, name = opening.text.lstrip("^%]").strip().partition("=")
            virtuals += tuple(names.split(","))
            package = Word(name, (opening.span[1] - len(name), opening.span[1]))
        node = self.dependency(sigil, package)
        return Edge(
            direct=sigil.text[0] == "%",
            propagated=sigil.text.startswith("%%"),
            deptypes=attributes.deptypes,
            virtuals=tuple(dict.fromkeys(virtuals)),
            node=node,
            span=(sigil.start, self.end()),
            when=attributes.when,
        )

    def edge_attribute(self, attributes: _EdgeAttributes) -> None:
        """( 'virtuals' | 'deptypes' ) '=' list, or 'when' '=' spec; of two the last one counts."""
        if not self.check("pair"):
            self.fail("expected virtuals=..., deptypes=..., when=... or ']'")
        token = self.read()
        name, values = token.match["key"], unquoted(token).split(",")
        if token.match["operator"] not in ("=", ":="):
            self.fail("expected virtuals=..., deptypes=... or when=...", token.span)
        if name == "deptypes":
            if not set(values) <= set(DEPTYPES):
                self.fail(f"deptypes are {', '.join(DEPTYPES)}", token.span)
            attributes.deptypes = tuple(kind for kind in DEPTYPES if kind in values)
        elif name == "virtuals":
            if not all(map(is_identifier, values)):
                self.fail("expected names of virtuals, separated by commas", token.span)
            attributes.virtuals = tuple(values)
        elif name == "when":
            attributes.when = self.condition_of(token)
        else:
            self.fail("expected virtuals=..., deptypes=... or when=...", token.span)

    def condition_of(self, token: Token) -> SpecQuery:
        """The spec after ``when=``, whose places are those of the whole word."""
        try:
            return parse_spec(unquoted(token), self.machine)
        except SpecSyntaxError as error:
            self.fail(f"when= is no spec: {error.message}", token.span)

    def dependency(self, sigil: Token, package: Word | None) -> Node:
        """The node after a sigil; nothing there is any package, but for a last ``%``."""
        direct = sigil.text[0] == "%"
        if direct and package is None and self.check("end"):
            self.fail(f"expected a package, or '*' for any, after '{sigil.text.rstrip('[')}'")
        node = self.node(package, leaf=direct)
        if direct and node.name and node.name.text in MODERN_NAMES:
            return replace(node, name=Word(MODERN_NAMES[node.name.text], node.name.span))
        return node

    def node(self, package: Word | None = None, *, leaf: bool = False) -> Node:
        """Node = [ name | namespace '.' name | '*' ] { attribute }, and its direct edges."""
        start = package.span[0] if package else self.here()[0]
        draft = NodeDraft(self.source, self.machine)
        if package or self.check("name"):
            draft.set_name(package or self.word())
        while self.check("git_version", "version", "boolean", "pair", "hash"):
            if self.check("hash") and draft.hash:
                break  # Spack begins a new spec here
            draft.add(self.read())
        span = (start, max(start, self.end()))
        direct = []
        while (
            not leaf and self.check("edge", "edge_open") and self.tokens[self.index].text[0] == "%"
        ):
            direct.append(self.edge())
        return draft.node(tuple(direct), span)
