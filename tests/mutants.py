"""How much the tests would notice: changes the code in small ways, and runs the tests of its room.

    python -m tests.mutants --number 320 --seed 1 --jobs 2

Each mutant is one change at one place: a comparison turned round or moved by one, ``and`` for
``or``, a number moved by one, a condition negated, a text changed, an element left out.  Those that
no test notices survive; they are listed with their line, to be met with a test or with a reason.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]

ROOMS = {
    "etl/spack": ("tests/spack", "tests/query"),
    "etl/query": ("tests/query", "tests/browse", "tests/commands", "tests/datasette"),
    "etl/writer": ("tests/writer", "tests/catalog", "tests/browse"),
    "etl/sources": ("tests/sources", "tests/writer", "tests/test_cli.py"),
}
"""The tests that should notice, nearest first."""

_TIMEOUT = 600
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A change: the file, the number of its node in the order of ``ast.walk``, and what changes."""

    path: str
    node: int
    line: int
    change: str


def changes(node: ast.AST) -> Iterator[str]:
    """What can be changed about a node."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARISONS:
        yield "compare"
    elif isinstance(node, ast.BoolOp):
        yield "and/or"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "drop not"
    elif isinstance(node, (ast.If, ast.IfExp)):
        yield "negate"
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield "add one"
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        yield "turn round"
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield "change text"
    elif isinstance(node, (ast.Tuple, ast.List)) and isinstance(node.ctx, ast.Load):
        if len(node.elts) > 1:
            yield "leave out the last"
    elif isinstance(node, ast.Return) and node.value is not None:
        yield "return nothing"
    elif isinstance(node, (ast.Yield, ast.YieldFrom)):
        yield "yield nothing"


def _texts_that_say(tree: ast.Module) -> set[int]:
    """Nodes whose change means nothing: docstrings, names in ``__all__``, types and messages."""
    silent: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            silent.add(id(node.value))
        annotations = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        for part in annotations:
            if part is not None:
                silent |= {id(it) for it in ast.walk(part)}
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("cast", "TypeVar"):
            silent |= {id(it) for it in ast.walk(node)}
        if isinstance(node, ast.Assign) and any(
            getattr(it, "id", "") == "__all__" for it in node.targets
        ):
            silent |= {id(it) for it in ast.walk(node)}
    return silent


def mutants(room: str) -> Iterator[Mutant]:
    """All mutants of a room."""
    for path in sorted((CHECKOUT / room).rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        silent = _texts_that_say(tree)
        for number, node in enumerate(ast.walk(tree)):
            if id(node) not in silent:
                for change in changes(node):
                    place = str(path.relative_to(CHECKOUT))
                    yield Mutant(place, number, getattr(node, "lineno", 0), change)


def mutated(mutant: Mutant) -> str:
    """The text of the file with the change."""
    tree = ast.parse((CHECKOUT / mutant.path).read_text("utf-8"))
    node = list(ast.walk(tree))[mutant.node]
    if isinstance(node, ast.Compare):
        node.ops[0] = _COMPARISONS[type(node.ops[0])]()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.UnaryOp):
        replaced = copy.copy(node.operand)
        node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), replaced)
    elif isinstance(node, (ast.If, ast.IfExp)):
        node.test = ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool):
            node.value = not value
        elif isinstance(value, int):
            node.value = value + 1
        elif isinstance(value, str):
            node.value = f"{value}x"
    elif isinstance(node, (ast.Tuple, ast.List)):
        node.elts.pop()
    elif isinstance(node, (ast.Return, ast.Yield)):
        node.value = ast.Constant(None)
    elif isinstance(node, ast.YieldFrom):
        node.value = ast.Tuple([], ast.Load())
    return ast.unparse(ast.fix_missing_locations(tree))


def survives(mutant: Mutant, tree: Path) -> bool:
    """Whether the tests of the room pass with the change; ``tree`` is a copy to make it in."""
    target = tree / mutant.path
    original = target.read_text("utf-8")
    room = next(it for it in ROOMS if mutant.path.startswith(f"{it}/"))
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header"]
    try:
        target.write_text(mutated(mutant), "utf-8")
        for tests in ROOMS[room]:
            try:
                done = subprocess.run(
                    [*command, tests], cwd=tree, env=environment, timeout=_TIMEOUT,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return False
            if done.returncode:
                return False
        return True
    finally:
        target.write_text(original, "utf-8")


def main() -> None:
    """Make mutants, and list those that survive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=320, help="how many mutants, over all rooms")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    chosen: list[Mutant] = []
    numbers = random.Random(options.seed)
    for room in ROOMS:
        found = list(mutants(room))
        chosen += numbers.sample(found, min(len(found), options.number // len(ROOMS)))
    with tempfile.TemporaryDirectory() as folder:
        trees = [Path(folder) / str(number) for number in range(options.jobs)]
        for tree in trees:
            ignored = shutil.ignore_patterns(".git", ".venv*", ".tools", "*_cache", "__pycache__")
            shutil.copytree(CHECKOUT, tree, ignore=ignored, symlinks=True)
        parts = [chosen[number :: options.jobs] for number in range(options.jobs)]

        def run(tree: Path, part: list[Mutant]) -> list[Mutant]:
            left = []
            for mutant in part:
                if survives(mutant, tree):
                    left.append(mutant)
                    print(f"{mutant.path}:{mutant.line}: {mutant.change}", flush=True)
            return left

        with ThreadPoolExecutor(options.jobs) as pool:
            left = [it for part in pool.map(run, trees, parts) for it in part]
    print(f"{len(chosen)} mutants, {len(left)} survive ({100 * len(left) / len(chosen):.1f} %)")


if __name__ == "__main__":
    main()
