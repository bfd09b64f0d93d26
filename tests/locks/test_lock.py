"""Lock files are read as Spack means them; what is none is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.errors import SourceError
from etl.locks.lock import read_lock

PARTLY = Path(__file__).parents[1] / "data" / "locks" / "partly.lock"


def test_reads_a_lock_of_spack_1() -> None:
    lock = read_lock(PARTLY.read_text("utf-8"), "spack.lock")
    assert [hash_[:7] for hash_ in lock.roots] == ["6knpm75", "5tgp7jo", "djepwry"]
    assert set(lock.roots) <= lock.link_run_closure()
    assert {spec.name for spec in lock.specs.values() if spec.external} == {"gcc", "glibc"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("spack:\n  specs: [zlib]\n", "concretize"),
        ("hello", "not JSON"),
        ("[]", "no lock file"),
        ("{}", "no lock file"),
        ('{"roots": [{"hash": "abc"}], "concrete_specs": {}}', "lacks the spec /abc"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_refuses_what_is_no_lock(text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read_lock(text, "spack.lock")


def test_a_cycle_ends() -> None:
    need = '{"name": "a", "hash": "h", "type": ["link"]}'
    node = f'{{"name": "a", "version": "1", "dependencies": [{need}]}}'
    lock = read_lock(f'{{"roots": [{{"hash": "h"}}], "concrete_specs": {{"h": {node}}}}}', "x")
    assert lock.link_run_closure() == {"h"}
    assert lock.dependents() == {"h": 0}
