"""Pages in the style of their era, byte for byte, and which styles can be told at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from etl.page_format.render import can_render, render_page
from etl.page_format.style import (
    EXACT_COMPILERS,
    ITEM_KEYS,
    META_KEYS,
    SORTED_ITEM_KEYS,
    SORTED_META_KEYS,
    TODAY,
    WITH_TARBALLS,
)
from etl.page_style import PageStyle
from etl.records import Spec
from etl.sources.page import PageReader
from tests.sites import SEED, SEED_PLACES, hash_of, item, page

ROCBLAS = (SEED / "_cache/develop-2025-03-30/rocblas/specs.md").read_bytes()
ADIAK = (SEED / "_cache/v0.20.1/adiak/specs.md").read_bytes()

STYLES = {
    "_cache/v0.20.1/adiak/specs.md": replace(
        WITH_TARBALLS, mirror="https://binaries.spack.io/releases/v0.20.1"
    ),
    "_cache/develop-2025-03-23/alquimia/specs.md": EXACT_COMPILERS,
    "_cache/develop-2025-03-23/rocblas/specs.md": EXACT_COMPILERS,
    "_cache/develop-2025-03-30/py-pyproject-metadata/specs.md": replace(TODAY, list_operator="="),
    "_cache/develop-2025-03-30/rocblas/specs.md": TODAY,
    "_cache/develop/arkouda/specs.md": TODAY,
}


def _style(data: bytes) -> PageStyle:
    """The style of a page that can be told by one."""
    found, _ = PageReader().read("specs.md", data)
    assert found.text is None
    return found.style


@pytest.mark.parametrize("place", SEED_PLACES)
def test_real_pages_of_three_eras(place: str) -> None:
    data = (SEED / place).read_bytes()
    found, _ = PageReader().read(place, data)
    assert found.style == STYLES[place]
    assert render_page(found.style, found.tag, found.package, found.specs, found.stacks) == data


def _reordered(data: bytes) -> bytes:
    """The page with the keys of the summary and of each item the other way round."""
    lines = data.split(b"\n")
    meta, details = json.loads(lines[4][6:]), json.loads(lines[5][14:])
    meta = dict(reversed(meta.items()))
    details = [dict(reversed(it.items())) for it in details]
    lines[4] = b"meta: " + json.dumps(meta).encode()
    lines[5] = b"spec_details: " + json.dumps(details).encode()
    return b"\n".join(lines)


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda data: data.replace(b"\n", b"\r\n"), {"newline": "\r\n"}),
        (lambda data: b"\xef\xbb\xbf" + data, {"bom": True}),
        (lambda data: data + b"\n", {"end": "\n"}),
        (lambda data: data + b"\r\n", {"end": "\r\n"}),
        (
            lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n") + b"\r\n",
            {"newline": "\r\n", "bom": True, "end": "\r\n"},
        ),
        (
            _reordered,
            {"meta_keys": SORTED_META_KEYS[::-1], "item_keys": SORTED_ITEM_KEYS[::-1]},
        ),
        (
            lambda data: (
                data.replace(b'{"e4s": 1, "ml-', b'{"root": 2, "ml-')
                .replace(b', "root": 2}', b', "e4s": 1}')
                .replace(
                    b'["ml-linux-x86_64-rocm", "root"], "target"',
                    b'["root", "ml-linux-x86_64-rocm"], "target"',
                )
            ),
            {"counts_as_they_come": True},
        ),
    ],
)
def test_what_a_checkout_or_another_generator_changes(
    change: Callable[[bytes], bytes], differs: dict[str, object]
) -> None:
    data = change(ROCBLAS)
    assert _style(data) == replace(TODAY, **differs)  # type: ignore[arg-type]


def test_a_page_that_tells_sizes() -> None:
    data = page("develop", "hdf5", [item(1), item(2, size=5), item(3, size=0)])
    assert _style(data) == replace(TODAY, sizes=True)
    data = page("develop", "hdf5", [item(1, size=5)])
    assert _style(data) == replace(TODAY, sizes=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b"\n\nMore.\n",
        lambda data: data.replace(b"layout: cache", b"layout: page"),
        lambda data: data.replace(b"layout: cache\n", b"layout: cache\nauthor: me\n"),
        lambda data: data.replace(b'": [', b'":['),
        lambda data: data.replace(b"\n", b"\r\n", 2),
        lambda data: data.replace(b'"size": "-", ', b""),
        lambda data: data.replace(b'"size": "-", ', b'"size": "-", "more": 1, '),
        lambda data: data.replace(b'"num_specs": 2', b'"num_specs": 3'),
        lambda data: data.replace(b'"num_specs": 2, ', b""),
        lambda data: data.replace(b'"num_specs": 2, ', b'"num_specs": 2, "more": 1, '),
        lambda data: data.replace(b"title: ", b"title:  "),
        lambda data: data.replace(b"gcc@13.2.0", b"gcc@=13.2.0", 2),
        lambda data: data.replace(b"ubuntu22.04", b"\\u0075buntu22.04"),
        lambda data: data.replace(b"ubuntu22.04", "übuntu22.04".encode()),
    ],
)
def test_what_no_style_can_tell_is_kept_whole(change: Callable[[bytes], bytes]) -> None:
    data = change(ROCBLAS)
    assert data != ROCBLAS
    found, _ = PageReader().read("specs.md", data)
    assert found.text == data


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"/releases/", b"/other/", 3),
        lambda data: data.replace(b"/build_cache/", b"/v3/"),
        lambda data: data.replace(b"gcc-7.3.1/adiak", b"gcc-7.3.2/adiak", 1),
        lambda data: data.replace(b'.spack"}]', b'.tar"}]'),
    ],
)
def test_addresses_that_do_not_follow_from_the_facts(change: Callable[[bytes], bytes]) -> None:
    data = change(ADIAK)
    assert data != ADIAK
    found, _ = PageReader().read("specs.md", data)
    assert found.text == data


def test_all_addresses_of_another_mirror_are_a_style() -> None:
    data = ADIAK.replace(b"https://binaries.spack.io/releases/", b"s3://a/\\u00fc/")
    assert _style(data) == replace(WITH_TARBALLS, mirror="s3://a/ü/v0.20.1")


@pytest.mark.parametrize(
    ("style", "can"),
    [
        (TODAY, True),
        (EXACT_COMPILERS, True),
        (WITH_TARBALLS, False),
        (replace(WITH_TARBALLS, mirror="https://a"), True),
        (replace(TODAY, mirror="https://a"), False),
        (replace(TODAY, meta_keys=META_KEYS[1:]), False),
        (replace(TODAY, meta_keys=(*META_KEYS, "more")), False),
        (replace(TODAY, item_keys=SORTED_ITEM_KEYS[1:]), False),
        (replace(TODAY, item_keys=(*SORTED_ITEM_KEYS, "os")), False),
        (replace(TODAY, item_keys=(*SORTED_ITEM_KEYS, "more")), False),
        (replace(TODAY, item_keys=ITEM_KEYS), False),
    ],
)
def test_which_styles_can_be_written(style: PageStyle, can: bool) -> None:
    assert can_render(style) is can


@pytest.mark.parametrize("style", STYLES.values())
def test_a_style_is_kept_as_json(style: PageStyle) -> None:
    assert PageStyle.from_json(style.to_json()) == style


def test_the_same_facts_in_each_notation() -> None:
    spec = Spec(
        hash_of(1), "hdf5", "1.14", "intel-oneapi-compilers@2024.2", "rhel8", "linux", "zen4",
        ("libs:=shared,static", "+mpi", "tools=a=b", "é=\"x\""), 7,
    )  # fmt: skip
    today, exact, old = (
        render_page(style, "develop", "hdf5", [spec], [("root", "e4s")]).decode()
        for style in (TODAY, EXACT_COMPILERS, replace(WITH_TARBALLS, mirror="https://m"))
    )
    variants = r'["libs:=shared,static", "+mpi", "tools=a=b", "\u00e9=\"x\""]'
    assert today == (
        '---\ntitle: "hdf5"\nlayout: cache\ncategories: [package, develop]\n'
        'meta: {"compilers": ["intel-oneapi-compilers@2024.2"], "num_specs": 1,'
        ' "num_specs_by_stack": {"e4s": 1, "root": 1}, "oss": ["rhel8"], "platforms": ["linux"],'
        ' "stacks": ["e4s", "root"], "targets": ["zen4"], "versions": ["1.14"]}\n'
        f'spec_details: [{{"compiler": "intel-oneapi-compilers@2024.2", "hash": "{hash_of(1)}",'
        ' "os": "rhel8", "platform": "linux", "size": "-", "stacks": ["root", "e4s"],'
        f' "target": "zen4", "variants": {variants}, "versions": ["1.14"]}}]\n---'
    )
    assert exact == today.replace("intel-oneapi-compilers@2024.2", "oneapi@=2024.2").replace(
        "libs:=", "libs="
    )
    assert old.split("\n")[4:6] == [
        'meta: {"versions": ["1.14"], "compilers": ["oneapi@=2024.2"], "oss": ["rhel8"],'
        ' "platforms": ["linux"], "targets": ["zen4"], "stacks": ["e4s", "root"], "num_specs": 1,'
        ' "num_specs_by_stack": {"root": 1, "e4s": 1}}',
        f'spec_details: [{{"hash": "{hash_of(1)}", "compiler": "oneapi@=2024.2",'
        ' "versions": ["1.14"], "os": "rhel8", "platform": "linux", "target": "zen4",'
        f' "variants": {variants.replace(":=", "=")}, "stacks": ["root", "e4s"], "size": "-",'
        ' "tarball": "https://m/build_cache/linux-rhel8-zen4/oneapi-2024.2/hdf5-1.14/'
        f'linux-rhel8-zen4-oneapi-2024.2-hdf5-1.14-{hash_of(1)}.spack"}}]',
    ]


def test_every_real_page_is_told_by_a_style(real_data: Path) -> None:
    for path in (real_data / "pages").rglob("specs.md"):
        assert _style(path.read_bytes()) in (
            TODAY, replace(TODAY, list_operator="="), EXACT_COMPILERS,
        ), path  # fmt: skip
