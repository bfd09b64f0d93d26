"""Lock files: every version, and what is none in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from etl.errors import UsageError
from etl.locks import read
from etl.locks.read import Lock, read_lock

ROOT, CHILD, TOOL = "a" * 32, "b" * 32, "c" * 32


def _node(name: str, hash_: str, *children: tuple[str, str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "version": "1.0",
        "arch": {"platform": "linux", "platform_os": "debian12", "target": "x86_64_v3"},
        "namespace": "builtin",
        "parameters": {},
        "hash": hash_,
        "dependencies": [
            {"name": child, "hash": hash_of, "parameters": {"deptypes": [kind], "virtuals": []}}
            for child, hash_of, kind in children
        ],
    }


def _lock(**changes: Any) -> dict[str, Any]:
    nodes = [
        _node("top", ROOT, ("below", CHILD, "link"), ("tool", TOOL, "build")),
        _node("below", CHILD),
        _node("tool", TOOL),
    ]
    return {
        "_meta": {"file-type": "spack-lockfile", "lockfile-version": 6, "specfile-version": 5},
        "roots": [{"hash": ROOT, "spec": "top"}],
        "concrete_specs": {node["hash"]: node for node in nodes},
        **changes,
    }


def _read(told: object) -> Lock:
    return read_lock(json.dumps(told), "spack.lock")


def test_the_specs_and_roots_of_a_lock() -> None:
    lock = _read(_lock())
    assert [(it.package, it.version, it.hash) for it in lock.specs.values()] == [
        ("top", "1.0", ROOT),
        ("below", "1.0", CHILD),
        ("tool", "1.0", TOOL),
    ]
    assert lock.roots == (ROOT,)
    assert lock.below((ROOT,), "link", "run") == {ROOT, CHILD}
    assert lock.below((ROOT,)) == {ROOT, CHILD, TOOL}


def test_what_spack_spec_prints_several_times_over() -> None:
    one = {"spec": {"_meta": {"version": 5}, "nodes": [_node("below", CHILD)]}}
    two = {"spec": {"_meta": {"version": 5}, "nodes": [_node("tool", TOOL)]}}
    lock = read_lock(f"{json.dumps(one)}\n{json.dumps(two)}\n", "-")
    assert lock.roots == (CHILD, TOOL)
    assert set(lock.specs) == {CHILD, TOOL}


def test_dependencies_that_run_in_a_circle_or_are_not_there() -> None:
    lock = _lock()
    lock["concrete_specs"][CHILD] = _node("below", CHILD, ("top", ROOT, "link"))
    with pytest.raises(
        UsageError, match=r"of (top|below)/[ab]{7} run in a circle; concretize again"
    ):
        _read(lock)
    lock["concrete_specs"][CHILD] = _node("below", CHILD, ("lost", "e" * 32, "build"))
    lost = f"spack.lock: below/{CHILD[:7]} depends on lost/eeeeeee, which is not among"
    with pytest.raises(UsageError, match=lost):
        _read(lock)


def test_environments_that_an_environment_includes() -> None:
    inner = {"roots": [{"hash": TOOL}], "concrete_specs": {TOOL: _node("tool", TOOL)}}
    outer = _lock(include_concrete={"/elsewhere": inner})
    assert _read(outer).roots == (ROOT, TOOL)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (_lock(_meta={"lockfile-version": 99}), "lock files of version 99 are not supported"),
        (_lock(_meta={"lockfile-version": True}), "lock files of version True are not supported"),
        (_lock(_meta=None), "has no _meta, and so is no spack.lock"),
        (_lock(_meta=[]), "lock files of version None are not supported"),
        (
            _lock(_meta={"lockfile-version": 6, "specfile-version": "x"}),
            "spec format x is not supported",
        ),
        (_lock(roots={}), "roots is not a list"),
        (_lock(roots=[{"spec": "top"}]), "a root has no hash"),
        (_lock(roots=[{"hash": "d" * 32}]), f"the root {'d' * 32} is not among its concrete specs"),
        (_lock(roots=[], concrete_specs={}), "has no concrete specs; concretize"),
        (_lock(concrete_specs=[]), "concrete_specs is not an object"),
        (_lock(concrete_specs={ROOT: 5}), f"concrete spec {ROOT}"),
        ({"spec": {"nodes": [], "_meta": {"version": 5}}}, "spec has no list of nodes"),
        ({"spec": {"nodes": [{}], "_meta": {"version": 5}}}, "the spec is not concrete"),
        ({"spec": {"nodes": [{}], "_meta": {"version": 77}}}, "spec format 77 is not supported"),
        ({"something": "else"}, "is neither a spack.lock nor a concrete spec"),
    ],
)
def test_a_hostile_lock_gets_one_sentence(told: object, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        _read(told)
    assert message in str(caught.value)
    assert str(caught.value).startswith("spack.lock: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a JSON object; expected a spack.lock"),
        ("[1, 2]", "is not a JSON object; expected a spack.lock"),
        ("{", "is not JSON: "),
        ('{"_meta": ' + "[" * 200_000, "is nested too deeply"),
        ("spack:\n  specs:\n  - hdf5\n", "concretize it with: spack -e . concretize"),
        ("{} 5", "is JSON, but not an object"),
    ],
)
def test_what_is_no_lock_gets_one_sentence(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_lock(text, "spack.lock")
    assert message in str(caught.value)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "MAX_SPECS", 2)
    with pytest.raises(UsageError, match="has 3 specs, more than 2; not read"):
        _read(_lock())
    monkeypatch.setattr(read, "MAX_BYTES", 1_000_000)
    with pytest.raises(UsageError, match="has more than 1 MB; not read"):
        read_lock(" " * 1_000_001, "spack.lock")


def test_real_locks_of_both_formats(real_data: Path) -> None:
    expected = json.loads((real_data / "locks" / "expected.json").read_text())
    assert len(expected) == 6
    for name, facts in expected.items():
        path = real_data / "locks" / name / "spack.lock"
        lock = read_lock(path.read_text("utf-8"), name)
        assert sorted(lock.specs) == sorted(facts["hashes"]), name
        assert sorted(lock.roots) == sorted(facts["roots"]), name
        external = sorted(it for it in lock.specs if lock.is_external(it))
        assert external == sorted(facts["externals"]), name
        assert sorted(lock.below(lock.roots, "link", "run")) == sorted(facts["link_run_closure"])
