"""Which virtual packages a recipe says that its package provides.

``provides("mpi@:3.1", when="@3:")`` stands in the class, below ``with when(...)``, in a loop over
texts, or in a class of the same file that the recipe's class is made from.  What is computed in
any other way is told as such.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from etl.records import Provision
from etl.spack.syntax import parse_spec
from etl.spack.tokens import SpecSyntaxError, is_identifier
from etl.spack.versions import VersionError, parse_versions

_MAX_STATEMENTS = 20_000
"""So many are looked at, each as often as the loops around it go."""

_MAX_CLASSES = 20
_PLATFORMS = ("linux", "darwin")
"""Spack's platforms, which Python calls the same; recipes test for Windows as well."""

_NO_NAMES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a statement stands: the conditions around it, and the values of loop variables.

    A condition of None is computed; ``left`` gives a number for each statement that may yet be
    looked at.
    """

    left: Iterator[int]
    conditions: tuple[str | None, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


def provisions(recipe: ast.ClassDef, module: ast.Module) -> tuple[Provision, ...]:
    """What the class of a recipe provides, each once, in the order of the text."""
    found: dict[Provision, None] = {}
    left = iter(range(_MAX_STATEMENTS))
    for line in _ancestry(recipe, module):
        found |= dict.fromkeys(_of_statements(line.body, _Place(left)))
    return tuple(found)


def _ancestry(recipe: ast.ClassDef, module: ast.Module) -> Iterator[ast.ClassDef]:
    """The class, and those of the module that it is made from."""
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    waiting, seen = [recipe], {recipe.name}
    while waiting and len(seen) < _MAX_CLASSES:
        node = waiting.pop(0)
        yield node
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in classes and base.id not in seen:
                seen.add(base.id)
                waiting.append(classes[base.id])


def _of_statements(body: list[ast.stmt], place: _Place) -> Iterator[Provision]:
    for node in body:
        if next(place.left, None) is None:
            return
        match node:
            case ast.With():
                conditions = [
                    condition
                    for it in node.items
                    for condition in _condition(it.context_expr, place)
                ]
                inside = replace(place, conditions=(*place.conditions, *conditions))
                yield from _of_statements(node.body, inside)
            case ast.If():
                where = _platforms(node.test)
                for branch, wanted in ((node.body, True), (node.orelse, False)):
                    platforms = [it for it, holds in (where or {}).items() if holds is wanted]
                    if where is None or platforms:
                        yield from _of_statements(branch, _on(platforms, place))

            case ast.For(target=ast.Name(id=name)):
                values = _texts(node.iter)
                if values is None:
                    values, place = [""], replace(place, conditions=(*place.conditions, None))
                for value in values:
                    inside = replace(place, names={**place.names, name: value})
                    yield from _of_statements(node.body, inside)
            case ast.Expr(value=ast.Call(func=ast.Name(id="provides")) as call):
                yield from _of_call(call, place)


def _platforms(test: ast.expr) -> dict[str, bool] | None:
    """On which of Spack's platforms a test of ``sys.platform`` holds; None if it is another."""
    match test:
        case ast.Constant(value=value):
            return dict.fromkeys(_PLATFORMS, bool(value))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _platforms(operand)
            return None if inner is None else {it: not inner[it] for it in inner}
        case ast.Compare(left=left, ops=[operator], comparators=[right]) if _is_platform(left):
            negated = isinstance(operator, (ast.NotEq, ast.NotIn))
            if isinstance(operator, (ast.Eq, ast.NotEq)):
                text = _text(right, _NO_NAMES)
                named = None if text is None else [text]
            else:
                named = _texts(right)
            return (
                None if named is None else {it: (it in named) is not negated for it in _PLATFORMS}
            )
        case ast.Call(func=ast.Attribute(value=value, attr="startswith"), args=[start]) if (
            _is_platform(value)
        ):
            text = _text(start, _NO_NAMES)
            return None if text is None else {it: it.startswith(text) for it in _PLATFORMS}
    return None


def _is_platform(node: ast.expr) -> bool:
    return ast.unparse(node) == "sys.platform"


def _on(platforms: list[str], place: _Place) -> _Place:
    """The place below a test that holds on these platforms; without any, nobody knows where.

    A spec is for the platform on which its recipe was read.
    """
    if len(platforms) == len(_PLATFORMS):
        return place
    here = f"platform={platforms[0]}" if platforms else None
    return replace(place, conditions=(*place.conditions, here))


def _of_call(call: ast.Call, place: _Place) -> Iterator[Provision]:
    conditions = list(place.conditions)
    for keyword in call.keywords:
        if keyword.arg == "when":
            conditions += _when(keyword.value, place)
    for argument in call.args:
        text = _text(argument, place.names)
        virtual, at, versions = (text or _beginning(argument)).partition("@")
        if not is_identifier(virtual) or (text is None and not at):
            continue
        known = [it for it in conditions if it is not None]
        if text is not None and len(known) == len(conditions) and _is_understood(versions, known):
            yield Provision(virtual, versions, tuple(known))
        else:
            yield Provision(virtual, None)


def _is_understood(versions: str, conditions: list[str]) -> bool:
    try:
        if versions:
            parse_versions(versions)
        for condition in conditions:
            parse_spec(condition)
    except (VersionError, SpecSyntaxError):
        return False
    return True


def _condition(context: ast.expr, place: _Place) -> Iterator[str | None]:
    """The conditions that ``with when("+x")`` and ``with default_args(when="+x")`` make."""
    if not isinstance(context, ast.Call) or not isinstance(context.func, ast.Name):
        return
    if context.func.id == "when" and context.args:
        yield from _when(context.args[0], place)
    for keyword in context.keywords:
        if keyword.arg == "when":
            yield from _when(keyword.value, place)


def _when(node: ast.expr, place: _Place) -> Iterator[str | None]:
    if isinstance(node, ast.Constant) and node.value in (True, None):
        return
    text = _text(node, place.names)
    if text is None or text.strip():
        yield text


def _text(node: ast.expr, names: Mapping[str, str]) -> str | None:
    """A text that is written out, or put together from such and from loop variables."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return names.get(name)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            parts = [_text(left, names), _text(right, names)]
        case ast.JoinedStr(values=values):
            parts = [_text(it, names) for it in values]
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return _text(value, names)
        case _:
            return None
    texts = [it for it in parts if it is not None]
    return "".join(texts) if len(texts) == len(parts) else None


def _beginning(node: ast.expr) -> str:
    """What a text begins with that is computed further on."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.BinOp(left=first) | ast.JoinedStr(values=[first, *_]):
            return _beginning(first)
    return ""


def _texts(node: ast.expr) -> list[str] | None:
    """The texts of a list that is written out."""
    if not isinstance(node, (ast.List, ast.Tuple)):
        return None
    texts = [_text(it, _NO_NAMES) for it in node.elts]
    known = [it for it in texts if it is not None]
    return known if len(known) == len(texts) else None
