"""The small changes: what can be changed about a module, and its text with one change made."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}  # fmt: skip

_SQL = re.compile(r"\b(SELECT|WHERE|AND|OR|NOT|EXISTS|IN|UNION|JOIN|LIMIT|ORDER BY|SET)\b")
_IN_SQL = (
    (re.compile(r"\bAND\b"), "OR"),
    (re.compile(r"\bOR\b(?! [A-Z]+ INTO)"), "AND"),
    (re.compile(r"\bNOT (?!NULL|IN\b)"), ""),
    (re.compile(r"\bIS NOT NULL"), "IS NULL"),
    (re.compile(r"(?<!IS )\bNOT IN\b"), "IN"),
    (re.compile(r"\bUNION ALL\b"), "EXCEPT"),
    (re.compile(r"<(?![=>])"), "<="),
    (re.compile(r">="), ">"),
    (re.compile(r"(?<![<>])= "), "<> "),
    (re.compile(r"\bDESC\b"), "ASC"),
    (re.compile(r"\bmin\("), "max("),
    (re.compile(r"\bmax\("), "min("),
)
"""What is changed in a text that is SQL."""

_NOT_SEEN = frozenset({"encoding", "errors", "strict"})
"""Arguments whose value is seen only where something is wrong already."""

_WORDS_FOR_PEOPLE = re.compile(r"Error$|^(_?fail|_?refuse|problem|Problem|_?say|echo|UsageError)$")


@dataclass(frozen=True)
class Mutant:
    """A change of one node of a file, which is counted in the order of ``ast.walk``.

    ``function`` is the first line of the function that it is in, 0 for what runs on import, and
    ``text`` the line as it stands; ``place`` tells the changes of one text apart.
    """

    path: str
    node: int
    line: int
    function: int
    change: str
    text: str
    place: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.change}: {self.text}"


def mutants(checkout: Path, path: Path) -> Iterator[Mutant]:
    """All mutants of a file."""
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    silent = set(_silent(tree))
    functions = list(_functions(tree))
    lines = text.splitlines()
    for number, node in enumerate(ast.walk(tree)):
        if id(node) in silent:
            continue
        line = getattr(node, "lineno", 0)
        inside = [first for first, last in functions if first <= line <= last]
        for change, place in _changes(node):
            yield Mutant(
                str(path.relative_to(checkout)), number, line, max(inside, default=0), change,
                lines[line - 1].strip(), place,
            )  # fmt: skip


def mutated(text: str, mutant: Mutant) -> str:
    """The text of a file with the change made; comments are lost."""
    tree = ast.parse(text)
    for number, node in enumerate(ast.walk(tree)):
        if number == mutant.node:
            _change(tree, node, mutant)
            break
    return ast.unparse(ast.fix_missing_locations(tree))


def _changes(node: ast.AST) -> Iterator[tuple[str, int]]:
    """What can be changed about a node."""
    match node:
        case ast.Compare() if type(node.ops[0]) in _COMPARISONS:
            yield "compare the other way", 0
        case ast.BoolOp():
            yield "and for or", 0
        case ast.UnaryOp(op=ast.Not()):
            yield "drop not", 0
        case ast.If() | ast.IfExp():
            yield "negate the condition", 0
        case ast.Constant(value=bool()):
            yield "turn round", 0
        case ast.Constant(value=int()):
            yield "add one", 0
        case ast.Constant(value=str(text)) if text:
            if _SQL.search(text):
                for place, (pattern, replaced) in enumerate(_IN_SQL):
                    if pattern.search(text):
                        yield f"{pattern.pattern} -> {replaced}", place
            else:
                yield "change the text", 0
        case ast.Tuple(ctx=ast.Load()) | ast.List(ctx=ast.Load()) if len(node.elts) > 1:
            yield "leave out the last", 0
        case ast.Return(value=ast.Constant(value=None)):
            return
        case ast.Return() if node.value is not None:
            yield "return nothing", 0
        case ast.Yield() | ast.YieldFrom():
            yield "yield nothing", 0
        case ast.Expr(value=ast.Call()) | ast.AugAssign():
            yield "leave out the statement", 0


def _change(tree: ast.Module, node: ast.AST, mutant: Mutant) -> None:
    match node:
        case ast.Compare():
            node.ops[0] = _COMPARISONS[type(node.ops[0])]()
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.UnaryOp():
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
        case ast.If() | ast.IfExp():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case ast.Constant(value=bool()):
            node.value = not node.value
        case ast.Constant(value=int(number)):
            node.value = number + 1
        case ast.Constant(value=str(text)):
            if _SQL.search(text):
                pattern, replaced = _IN_SQL[mutant.place]
                node.value = pattern.sub(replaced, text, count=1)
            else:
                node.value = f"{text}x"
        case ast.Tuple() | ast.List():
            node.elts.pop()
        case ast.Return() | ast.Yield():
            node.value = ast.Constant(None)
        case ast.YieldFrom():
            node.value = ast.Tuple([], ast.Load())
        case ast.Expr() | ast.AugAssign():
            for parent in ast.walk(tree):
                for body in ("body", "orelse", "finalbody"):
                    statements = getattr(parent, body, None)
                    if isinstance(statements, list) and node in statements:
                        statements[statements.index(node)] = ast.Pass()


def _functions(tree: ast.Module) -> Iterator[tuple[int, int]]:
    """The first and last line of each function, as the running interpreter numbers them."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = min([node.lineno, *(it.lineno for it in node.decorator_list)])
            yield first, node.end_lineno or first


def _silent(tree: ast.Module) -> Iterator[int]:
    """The nodes whose change says nothing of the program.

    Docstrings, types (a tuple in brackets is one), what is only for the type checker, names of
    encodings and of the parameters and aliases of SQL, the options of dataclasses, and the words
    of messages: tests name what a message must say, not all of it.
    """
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = [
            getattr(node, "annotation", None), getattr(node, "returns", None)
        ]  # fmt: skip
        match node:
            case ast.Expr(value=ast.Constant()):
                parts.append(node)
            case ast.Raise():
                parts += _texts(node)
            case ast.Call():
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in ("cast", "TypeVar", "NewType"):
                    parts.append(node)
                elif name in ("add", "_add", "add_all", "_add_all") and len(node.args) == 2:
                    parts.append(node.args[0])
                elif name == "_names" or _WORDS_FOR_PEOPLE.search(name):
                    parts += _texts(node)
                parts += [it for it in node.args if _is_encoding(it)]
                parts += [it.value for it in node.keywords if it.arg in _NOT_SEEN]
            case ast.ClassDef():
                parts += node.decorator_list
            case ast.Assign(targets=[ast.Name(id="__all__" | "message" | "hint")]):
                parts += _texts(node)
            case ast.Subscript():
                parts.append(node.slice if isinstance(node.slice, ast.Tuple) else None)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                parts.append(node)
        for part in parts:
            if part is not None:
                yield from (id(it) for it in ast.walk(part))


def _texts(node: ast.AST) -> list[ast.AST | None]:
    return [
        it for it in ast.walk(node) if isinstance(it, ast.Constant) and isinstance(it.value, str)
    ]


def _is_encoding(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value in ("utf-8", "ascii", "strict", "replace")
