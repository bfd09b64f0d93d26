from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import SourceError
from etl.records import Problem, Recipe
from etl.sources.recipes import MAX_RECIPE_BYTES, MAX_TEXT, read_recipe, read_recipes

RECIPE = b'''
import os
raise SystemExit("recipes are not executed")

class Helper: homepage = "https://example.org/helper"

class PyThing(PythonPackage):
    """A thing that
    does things. \\d

    And what else there is to say.
    """

    homepage = "https://example.org/" "thing"
    license("MIT", checked_by="somebody")
    version("1.0")

    with when("@2:"):
        license("Apache-2.0")
        if True:
            license(license_identifier="MIT", when="+x")

    def license_of(self):
        license("not a directive")
'''


def make(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for place, content in files.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def recipe(name: str, *lines: str) -> str:
    return "\n    ".join((f"class {name}(Package):", '"""What it is."""', *lines)) + "\n"


def test_what_a_recipe_says() -> None:
    assert read_recipe("py-thing", RECIPE) == Recipe(
        "py-thing", "A thing that does things. \\d", "https://example.org/thing",
        ("MIT", "Apache-2.0"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("package", "class_name"),
    [
        ("hdf5", "Hdf5"),
        ("py-numpy", "PyNumpy"),
        ("3proxy", "_3proxy"),
        ("r-a4", "RA4"),
        ("double--dash", "DoubleDash"),
        ("with_underscore", "WithUnderscore"),
        ("true", "_True"),
        ("false", "_False"),
        ("none", "_None"),
    ],
)
def test_names_of_classes(package: str, class_name: str) -> None:
    found = read_recipe(package, recipe(class_name).encode())
    assert found == Recipe(package, "What it is.", None, ())


@pytest.mark.parametrize(
    ("line", "homepage"),
    [
        ('homepage = "https://example.org"', "https://example.org"),
        ('homepage: str = "http://example.org"', "http://example.org"),
        ('url = homepage = "https://example.org"', "https://example.org"),
        ('homepage = "javascript:alert(1)"', None),
        ('homepage = f"https://{x}"', None),
        ("homepage = None", None),
        ("homepage: str", None),
        ("homepage = 3", None),
        ('homepage = "https://a\\x1b\\ud800b"', "https://ab"),
    ],
)
def test_homepages(line: str, homepage: str | None) -> None:
    assert read_recipe("x", recipe("X", line).encode()).homepage == homepage


@pytest.mark.parametrize("line", ["license()", "license(name)", 'license("")', "license(3)"])
def test_licences_that_are_no_text(line: str) -> None:
    assert read_recipe("x", recipe("X", line).encode()).licenses == ()


def test_long_texts_are_cut() -> None:
    source = f'class X(Package):\n    """{"a" * 2 * MAX_TEXT}"""\n'
    assert read_recipe("x", source.encode()).description == "a" * MAX_TEXT


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"class X(:\n", "not Python: line 1: "),
        (b"\xff\xfe", "not Python: "),
        (b"x = 1\0", "not Python"),
        (b"x = " + b"-" * 100_000 + b"1", "not Python"),
        (b"x = " + b"(" * 1_000, "not Python"),
        (b"", "no class X in it"),
        (b"class Y: pass", "no class X in it"),
    ],
)
def test_recipes_that_are_refused(source: bytes, message: str) -> None:
    with pytest.raises(SourceError) as error:
        read_recipe("x", source)
    assert error.value.message.startswith(message)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(source: bytes) -> None:
    with pytest.raises(SourceError):
        read_recipe("a-package-that-is-not-there", source)


V1 = {
    "repo.yaml": "repo:\n  namespace: builtin\n",
    "packages/py-numpy/package.py": recipe("PyNumpy"),
    "packages/3proxy/package.py": recipe("_3proxy"),
    "packages/notes/README": "",
}
V2 = {
    "repo.yaml": "repo:\n  namespace: builtin\n  api: v2.2\n  subdirectory: recipes\n",
    "recipes/py_numpy/package.py": recipe("PyNumpy"),
    "recipes/_3proxy/package.py": recipe("_3proxy"),
    "recipes/__pycache__/x.pyc": "",
}


V2_0 = {**V2, "repo.yaml": str(V2["repo.yaml"]).replace("v2.2", "v2.0")}
V1_2 = {**V1, "repo.yaml": "repo:\n  namespace: builtin\n  api: v1.2\n"}


@pytest.mark.parametrize("files", [V1, V1_2, V2, V2_0])
@pytest.mark.parametrize("inside", ["", "builtin/", "repos/spack_repo/builtin/"])
def test_repositories_of_both_kinds(
    tmp_path: Path, files: Mapping[str, str | bytes], inside: str
) -> None:
    make(tmp_path, {inside + place: content for place, content in files.items()})
    found = list(read_recipes(tmp_path))
    assert found == [
        Recipe("3proxy", "What it is.", None, ()),
        Recipe("py-numpy", "What it is.", None, ()),
    ]


def test_builtin_is_chosen_among_several(tmp_path: Path) -> None:
    inside = "var/spack/repos/"
    make(tmp_path, {f"{inside}builtin/{place}": content for place, content in V1.items()})
    mock = {"repo.yaml": "repo:\n  namespace: mock\n", "packages/hdf5/package.py": recipe("Hdf5")}
    make(tmp_path, {f"{inside}mock/{place}": content for place, content in mock.items()})
    assert [found.package for found in read_recipes(tmp_path) if isinstance(found, Recipe)] == [
        "3proxy",
        "py-numpy",
    ]


def test_bad_recipes_do_not_spoil_the_rest(tmp_path: Path) -> None:
    repository = make(tmp_path / "repository", V1)
    make(
        repository,
        {
            "packages/a/package.py": "class A(",
            "packages/b/package.py": "#" * (MAX_RECIPE_BYTES + 1),
            "packages/c/package.py": recipe("D"),
        },
    )
    secret = make(tmp_path, {"secret.py": recipe("E")}) / "secret.py"
    (repository / "packages/e").mkdir()
    (repository / "packages/e/package.py").symlink_to(secret)
    found = list(read_recipes(repository))
    assert [item.package for item in found if isinstance(item, Recipe)] == ["3proxy", "py-numpy"]
    refused = {item.place: item.message for item in found if isinstance(item, Problem)}
    assert sorted(refused) == [f"packages/{name}/package.py" for name in "abce"]
    assert refused["packages/a/package.py"] == "not Python: line 1: '(' was never closed"
    assert refused["packages/b/package.py"].startswith("has 2,097,153 bytes, more than 2,097,152")
    assert refused["packages/c/package.py"] == "no class C in it"
    assert refused["packages/e/package.py"] == "leads out of the folder, and is not followed"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no package repository in this folder"),
        ({"repo.yaml": "["}, "repo.yaml: not YAML"),
        ({"repo.yaml": b"\xff"}, "repo.yaml: not YAML"),
        ({"repo.yaml": "x: 1"}, "repo.yaml: it does not describe a package repository"),
        (
            {"repo.yaml": "repo: {api: v3.0}"},
            "repo.yaml: package API 'v3.0' is not supported (v1 to v2 are)",
        ),
        (
            {"repo.yaml": "repo: {api: 2}"},
            "repo.yaml: package API '2' is not supported (v1 to v2 are)",
        ),
        ({"repo.yaml": "repo: {subdirectory: ../x}"}, "'../x' is no folder in the repository"),
        ({"repo.yaml": "repo: {namespace: x}"}, "packages: cannot be listed: No such file"),
        (
            {"a/repo.yaml": "repo: {namespace: a}", "b/repo.yaml": "repo: {namespace: b}"},
            "several package repositories; name one of a, b",
        ),
    ],
)
def test_folders_that_are_refused(
    tmp_path: Path, files: Mapping[str, str | bytes], message: str
) -> None:
    with pytest.raises(SourceError) as error:
        list(read_recipes(make(tmp_path, files)))
    assert message in str(error.value)
