"""The ways through the site that most people take, from the home page on.

With ``PICTURES=docs/images`` in the environment, as in ``make pictures``, the pages on the way are
saved as the screenshots that the README shows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.driver import Browser

HDF5 = "ta6pedvdixmtsxl6zzxbsro4hfbn3wej"
ENTER = "\ue007"

Picture = Callable[[str], None]


@pytest.fixture
def picture(window: Browser) -> Picture:
    """Saves what is seen under a name, if screenshots are wanted."""

    def save(name: str) -> None:
        if folder := os.environ.get("PICTURES"):
            window.run("window.scrollTo(0, 0); document.activeElement.blur()")
            window.screenshot(Path(folder) / f"{name}.png")

    return save


@pytest.fixture(autouse=True)
def _no_complaints(window: Browser) -> Iterator[None]:
    window.resize(1200, 1000)
    window.complaints()
    yield
    window.allow_scripts(True)
    # That a page tells of a mistake by its status is no complaint.
    assert [it for it in window.complaints() if "status of 400" not in it] == []


def test_from_a_package_to_the_commands_that_install_it(
    window: Browser, address: str, picture: Picture
) -> None:
    window.open(address)
    picture("home")
    window.type("#q", "hdf5" + ENTER)
    assert window.until("return document.querySelector('h1').innerText === 'hdf5'")
    assert window.address == f"{address}package/hdf5"
    picture("package")
    window.click("link text", HDF5[:7])
    assert window.until("return location.pathname.startsWith('/spec/')")
    assert window.address == f"{address}spec/{HDF5}"
    picture("spec")
    assert window.text("#install-commands").splitlines() == [
        "spack mirror add develop-2025-07-20 https://binaries.spack.io/develop-2025-07-20",
        "spack buildcache keys --install --trust",
        f"spack install --cache-only hdf5/{HDF5}",
    ]


def test_the_filters_of_a_package_need_no_scripts(window: Browser, address: str) -> None:
    window.allow_scripts(False)
    window.open(f"{address}package/hdf5?tag=v2025.07.0")
    window.type("#runs_on", "neoverse_v2")
    window.type("#variant", "+mpi" + ENTER)
    window.allow_scripts(True)
    assert window.until("return location.search.includes('runs_on=neoverse_v2')")
    assert [text.split()[:2] for text in window.texts(".chips li")] == [
        ["runs", "on"],
        ["variant", "+mpi"],
    ]
    cells = window.texts("section[aria-labelledby=binaries] .table-scroll tbody tr")
    assert cells
    assert all("neoverse_v2" in cell or "aarch64" in cell for cell in cells[:6])


def test_a_mistake_in_a_spec_is_mended(window: Browser, address: str, picture: Picture) -> None:
    window.open(address)
    window.type("#q", "hdf5@@1.14 +mpi" + ENTER)
    assert window.shows("expected a version after '@'")
    assert window.text(".message-error mark") == "@"
    picture("find-mistake")
    window.run("document.querySelector('#spec').value = ''")
    window.type("#spec", "hdf55@1.14: +mpi" + ENTER)
    assert window.shows("no package hdf55 in this catalog; did you mean hdf5?")
    window.click("css selector", ".near-misses a")
    assert window.shows("1 binary in develop-2025-07-20")
    assert window.run("return document.querySelector('#spec').value") == "hdf5@1.14: +mpi"
    picture("find")
    window.click("link text", HDF5)
    assert window.until(f"return location.pathname === '/spec/{HDF5}'")


def test_comparing_two_tags(window: Browser, address: str, picture: Picture) -> None:
    window.open(address)
    window.click("link text", "develop-2025-07-20")
    assert window.until("return location.pathname.startsWith('/tag/')")
    picture("tag")
    window.click("css selector", "form.filters button")
    assert window.until("return location.pathname.startsWith('/compare/')")
    assert window.address == f"{address}compare/develop-2025-03-30/develop-2025-07-20"
    window.type("select[name=old]", "develop-2024-11-17")
    window.click("css selector", "form.filters button")
    assert window.until("return location.pathname.startsWith('/compare/develop-2024-11-17/')")
    assert window.text("h1") == "develop-2024-11-17 → develop-2025-07-20"
    picture("compare")
    upgraded = window.texts("section[aria-labelledby=upgraded] tbody tr")
    assert "hdf5\t1.14.5\t1.14.6\t1.14.5\t1.14.6" in upgraded
    window.click("css selector", "section[aria-labelledby=upgraded] details.sql summary")
    window.click("css selector", "section[aria-labelledby=upgraded] details.sql a")
    assert window.until("return location.pathname === '/catalog'")
    assert window.shows("hdf5")


def test_what_contains_some_versions(window: Browser, address: str) -> None:
    window.open(f"{address}package/zlib-ng?tag=v2025.07.0")
    window.click("link text", "All binaries that contain zlib-ng")
    assert window.until("return location.pathname === '/package/zlib-ng/impact'")
    window.type("#version", "2.2:" + ENTER)
    assert window.until("return location.search.includes('version=2.2')")
    assert window.text("h1") == "What contains zlib-ng @2.2:"
    window.type("#closure", "link dependents")
    window.click("css selector", "form.filters button")
    assert window.until("return location.search.includes('closure=link')")
    rows = window.texts("section[aria-labelledby=binaries] tbody tr")
    assert {row.split()[0] for row in rows} == {"itself", "link"}
    window.click("link text", "Package")
    assert window.until("return location.search.includes('sort=package')")
    rows = window.texts("section[aria-labelledby=binaries] tbody tr th, tbody td:nth-child(2)")
    assert rows == sorted(rows)
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    window.resize(500, 900)
    assert window.run(wide) <= 0


def test_the_box_offers_packages(window: Browser, address: str) -> None:
    window.open(address)
    window.type("#q", "hd")
    offered = "return [...document.querySelectorAll('datalist option, [role=option]')]"
    assert window.until(f"{offered}.some(it => (it.value || it.innerText).startsWith('hdf5'))")


def test_the_commands_can_be_copied(window: Browser, address: str) -> None:
    window.open(f"{address}spec/{HDF5}")
    window.click("css selector", "button[data-copy='#install-commands']")
    assert window.shows("Copied")
    window.open(f"{address}find")
    window.click("css selector", "#spec")
    window.paste()
    pasted = "return document.querySelector('#spec').value"
    assert window.until(f"{pasted}.includes('spack install --cache-only hdf5/{HDF5}')")


def test_a_search_has_an_address_to_share(window: Browser, address: str) -> None:
    window.open(f"{address}find")
    window.type("#tag", "newest release")
    window.type("#spec", "hdf5 +mpi" + ENTER)
    assert window.until("return document.querySelector('#found') !== null")
    assert window.address == f"{address}find?spec=hdf5+%2Bmpi&tag=newest-release"
    assert window.shows("newest-release is currently v2025.07.0.")


def test_what_a_node_can_use_and_how_to_install_it(window: Browser, address: str) -> None:
    window.open(address)
    window.type("#host", "rocky8/zen3")
    window.type("#q", "py-pyproject-metadata" + ENTER)
    assert window.until("return location.pathname === '/package/py-pyproject-metadata'")
    window.click("link text", "Show only what rocky8/zen3 can use")
    assert window.until("return location.pathname === '/find'")
    assert window.text("#found") == "1 binary in develop-2025-03-30"
    assert window.shows("rocky8/zen3: ✓ can be used")
    assert window.shows("spack install --cache-only py-pyproject-metadata/")
    # Of what nobody built for such a node it is said what is in the way.
    window.open(address)
    window.type("#host", "rocky8/zen3")
    window.type("#q", "hdf5 +mpi" + ENTER)
    assert window.shows("needs glibc 2.36, this host has 2.28")
    assert window.shows("No other tag has a match")


def test_from_the_share_of_a_host_to_what_it_can_use(window: Browser, address: str) -> None:
    window.open(f"{address}tag/v2025.07.0")
    (number,) = window.texts("section[aria-labelledby=hosts] tbody tr:first-child a")
    window.click("css selector", "section[aria-labelledby=hosts] tbody tr:first-child a")
    assert window.until("return location.pathname === '/find'")
    assert window.text("#found").split()[0] == number
    assert window.shows("Only binaries that rocky8/x86_64_v3 can use.")
