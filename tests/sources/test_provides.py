"""What recipes provide, wherever and however their text says it."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.records import Provision
from etl.sources.provides import provisions
from etl.sources.recipes import read_recipe


def provided(body: str, before: str = "", bases: str = "Package") -> tuple[Provision, ...]:
    inside = "\n".join(f"    {line}" for line in dedent(body).splitlines())
    text = f"{dedent(before)}\nclass Tool({bases}):\n{inside}\n"
    module = ast.parse(text)
    recipe = next(it for it in module.body if isinstance(it, ast.ClassDef) and it.name == "Tool")
    return provisions(recipe, module)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('provides("mpi")', [("mpi", "", ())]),
        ('provides("mpi@:3.1", when="@3:")', [("mpi", ":3.1", ("@3:",))]),
        ('provides("c", "cxx", when="+clang")', [("c", "", ("+clang",)), ("cxx", "", ("+clang",))]),
        ('provides("mpi", when="")', [("mpi", "", ())]),
        ('provides("mpi", when=True)', [("mpi", "", ())]),
        ('provides("mpi"); provides("mpi")', [("mpi", "", ())]),
        (
            'with when("+x"):\n    with when("@2:"):\n        provides("mpi@2", when="@:3")',
            [("mpi", "2", ("+x", "@2:", "@:3"))],
        ),
        ('with default_args(when="+x"):\n    provides("mpi")', [("mpi", "", ("+x",))]),
        ('with default_args(type="build"):\n    provides("mpi")', [("mpi", "", ())]),
        (
            'for ver in ["1.0", "2.0"]:\n    provides("pil@" + ver, when="@" + ver)',
            [("pil", "1.0", ("@1.0",)), ("pil", "2.0", ("@2.0",))],
        ),
        (
            'for v in ("1", "2"):\n    provides(f"pil@{v}", when=f"@{v}:")',
            [("pil", "1", ("@1:",)), ("pil", "2", ("@2:",))],
        ),
        ('if True:\n    provides("a")\nelse:\n    provides("b")', [("a", "", ())]),
        ('if sys.platform == "linux":\n    provides("a")', [("a", "", ("platform=linux",))]),
        ('if not sys.platform == "linux":\n    provides("a")', [("a", "", ("platform=darwin",))]),
        ('if sys.platform != "win32":\n    provides("a")', [("a", "", ())]),
        (
            'if sys.platform not in ["darwin", "win32"]:\n    provides("a")\n'
            'else:\n    provides("b")',
            [("a", "", ("platform=linux",)), ("b", "", ("platform=darwin",))],
        ),
        (
            'if sys.platform.startswith("dar"):\n    provides("a")',
            [("a", "", ("platform=darwin",))],
        ),
        ('if sys.platform == "win32":\n    provides("a")', []),
        # What nobody knows without running it.
        ('provides("mpi@" + newest)', [("mpi", None, ())]),
        ('provides(f"mpi@{newest}")', [("mpi", None, ())]),
        ('provides("m" + "pi@" + newest)', []),
        ('provides("mpi", when=condition)', [("mpi", None, ())]),
        ('with when(condition):\n    provides("mpi")', [("mpi", None, ())]),
        ('for ver in releases:\n    provides(f"go@{ver}", when=f"@{ver}")', [("go", None, ())]),
        ('if os.name == "nt":\n    provides("a")', [("a", None, ())]),
        ('if os.name == "nt":\n    pass\nelse:\n    provides("a")', [("a", None, ())]),
        ('if sys.platform == name:\n    provides("a")', [("a", None, ())]),
        # What no spec can be.
        ('provides("mpi", when="@@")', [("mpi", None, ())]),
        ('provides("mpi@3:1")', [("mpi", None, ())]),
        ('provides("not a name")', []),
        ("provides(1)", []),
        ("provides()", []),
        ('def method(self):\n    provides("a")', []),
        ('other("a")', []),
    ],
)
def test_what_is_provided(body: str, expected: list[tuple[str, str | None, tuple[str]]]) -> None:
    assert provided(body) == tuple(Provision(*it) for it in expected)


def test_classes_of_the_same_file() -> None:
    before = """
        class Root(Tool):
            provides("root")
        class Base(Root):
            provides("base", when="+x")
        class Other:
            provides("other")
    """
    assert provided('provides("own")', before, "Base, Elsewhere, module.Other") == (
        Provision("own", ""), Provision("base", "", ("+x",)), Provision("root", ""),
    )  # fmt: skip


def test_a_recipe_tells_it() -> None:
    recipe = read_recipe("tool", b'class Tool(Package):\n    provides("mpi@3", when="+mpi")')
    assert recipe.provides == (Provision("mpi", "3", ("+mpi",)),)


def test_loops_in_loops_end() -> None:
    lines = [f"{'    ' * depth}for v{depth} in {['x'] * 40}:" for depth in range(9)]
    lines.append(f"{'    ' * 9}provides(f'a{{v0}}', when=f'+{{v3}}')")
    assert provided("\n".join(lines)) == (Provision("ax", "", ("+x",)),)


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@given(st.text("provides(whn=)\"'@:,+ \n1fixyor[]{}", max_size=60))
def test_any_body(text: str) -> None:
    try:
        ast.parse(f"class Tool:\n    {text}\n")
    except (SyntaxError, ValueError):
        return
    module = ast.parse(f"class Tool:\n    {text}\n")
    recipe = module.body[0]
    assert isinstance(recipe, ast.ClassDef)
    provisions(recipe, module)
