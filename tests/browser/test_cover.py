"""From a partly covered environment to the change that mends it, by clicking."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import served
from tests.browser.driver import Browser
from tests.real_data import lock_by_spack


@pytest.fixture(scope="module")
def indexes(indexes_catalog: Path) -> Iterator[str]:
    """Where a catalog of the real indexes is served."""
    with served(indexes_catalog) as address:
        yield address


def lock_of(name: str) -> str:
    return lock_by_spack(name).decode()


def paste(window: Browser, lock: str) -> None:
    window.run("document.querySelector('#lock').value = arguments[0]", lock)


@pytest.mark.parametrize("scripts", [True, False])
def test_from_misses_to_the_change_that_mends_them(
    window: Browser, indexes: str, scripts: bool, tmp_path: Path
) -> None:
    window.open(indexes)
    window.click("link text", "Coverage")
    assert window.shows("The file is not stored")
    if scripts:
        paste(window, lock_of("before"))
    else:
        window.allow_scripts(False)
        window.open(f"{indexes}cover")
        lock = tmp_path / "spack.lock"
        lock.write_text(lock_of("before"))
        window.type("#file", str(lock))
    window.click("css selector", "main form button")
    window.allow_scripts(True)
    assert window.shows("13 of 20 specs in v2025.07.0")
    assert window.texts("section[aria-labelledby=changes] tbody td") == [
        "4",
        "packages:all:require: target=x86_64_v3; remove x86_64_v2 from the spec"
        " zlib-ng@2.2.4 target=x86_64_v2",
    ]
    misses = window.texts("section[aria-labelledby=missing] tbody tr")
    assert [it.split("@")[0] for it in misses] == [
        *("compiler-wrapper", "gcc-runtime", "zlib-ng", "sqlite"),
    ]
    assert "built for x86_64_v2, the cache has x86_64_v3" in misses[2]
    # The nearest build is a link to its page.
    window.click("css selector", "section[aria-labelledby=missing] tbody tr:last-child td a")
    assert window.until("return location.pathname.startsWith('/spec/')")
    assert window.shows("sqlite")
    # The change is made; the environment is sent again.
    window.open(f"{indexes}cover")
    paste(window, lock_of("after"))
    window.click("css selector", "main form button")
    assert window.shows("15 of 17 specs in v2025.07.0")
    assert window.texts("section[aria-labelledby=missing]") == []


def test_json_is_one_button_beside(window: Browser, indexes: str) -> None:
    window.open(f"{indexes}cover")
    paste(window, lock_of("before"))
    window.click("css selector", "button[formaction$='cover.json']")
    assert window.until("return document.body.innerText.trim().startsWith('{')")
    told = json.loads(window.text())
    assert (told["specs"], len(told["available"]), len(told["missing"])) == (20, 13, 4)
    assert told["changes"][0]["gain"] == 4


def test_what_is_no_lock_gets_one_sentence(window: Browser, indexes: str) -> None:
    window.open(f"{indexes}cover")
    paste(window, "spack:\n  specs: [hdf5]\n")
    window.click("css selector", "main form button")
    assert window.shows("concretize it with: spack -e . concretize")
    window.complaints()  # that the answer has the status of a mistake is one to the browser
