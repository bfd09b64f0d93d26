"""Targets from archspec, and the machine the tests run on."""

from __future__ import annotations

import platform
from collections.abc import Iterator

import pytest

from etl.spack import host
from etl.spack.targets import Target, ancestors, archspec_version, host_target, known_targets


def test_a_target() -> None:
    assert known_targets()["zen4"] == Target(
        "zen4",
        "x86_64",
        "AuthenticAMD",
        ("zen3", "x86_64_v4", "zen2", "zen", "x86_64_v3", "x86_64_v2", "x86_64"),
    )


def test_a_family() -> None:
    assert known_targets()["x86_64"] == Target("x86_64", "x86_64", "generic", ())


def test_targets_are_in_the_order_of_their_names_and_closed_under_ancestry() -> None:
    targets = known_targets()
    assert list(targets) == sorted(targets)
    assert all(name in targets for target in targets.values() for name in target.ancestors)
    assert all(target.family in (target.name, *target.ancestors) for target in targets.values())


@pytest.fixture
def fresh_targets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """archspec as it is on a machine whose name it does not know."""
    from archspec.cpu import TARGETS

    monkeypatch.setattr(platform, "machine", lambda: "toaster")
    monkeypatch.setattr(TARGETS, "_data", None)
    known_targets.cache_clear()
    yield
    known_targets.cache_clear()


def test_the_machines_own_name_is_left_out(fresh_targets: None) -> None:
    from archspec.cpu import TARGETS

    assert "toaster" in TARGETS
    assert "toaster" not in known_targets()


def test_ancestors() -> None:
    assert ancestors("x86_64_v3") == ("x86_64_v2", "x86_64")
    assert ancestors("toaster") == ()


def test_targets_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        known_targets()["mine"] = known_targets()["zen4"]  # type: ignore[index]


def test_archspec_version() -> None:
    assert archspec_version()[0].isdigit()


def test_host() -> None:
    assert host_target()
    assert host.host_os()
    assert host.host_platform() == platform.system().lower()


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ({"ID": "ubuntu", "VERSION_ID": "22.04"}, "ubuntu22.04"),
        ({"ID": "ubuntu", "VERSION_ID": "24.04.1"}, "ubuntu24.04"),
        ({"ID": "debian", "VERSION_ID": "12"}, "debian12"),
        ({"ID": "rocky", "VERSION_ID": "9.3"}, "rocky9"),
        ({"ID": "amzn", "VERSION_ID": "2"}, "amzn2"),
        ({"ID": "ol", "VERSION_ID": "8.9"}, "oracle8"),
        ({"ID": "opensuse-leap", "VERSION_ID": "15.5"}, "opensuse15"),
        ({"ID": "arch"}, "arch"),
        ({"ID": "Cumulus Linux", "VERSION_ID": "5-1.2"}, "cumulus_linux5_1"),
    ],
)
def test_linux_names(monkeypatch: pytest.MonkeyPatch, release: dict[str, str], name: str) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: release)
    assert host.host_os() == name


def test_tumbleweed_is_named_by_its_libc(monkeypatch: pytest.MonkeyPatch) -> None:
    release = {"ID": "opensuse-tumbleweed", "VERSION_ID": "20240101"}
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: release)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.38"))
    assert host.host_os() == "opensusetumbleweed2.38"


def test_linux_without_os_release(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> dict[str, str]:
        raise OSError

    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "freedesktop_os_release", missing)
    assert host.host_os() == "unknown"


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("10.12.6", "macos"),
        ("10.13", "highsierra"),
        ("10.14.6", "mojave"),
        ("10.15.7", "catalina"),
        ("10.16", "bigsur"),
        ("11.0", "bigsur"),
        ("12.1", "monterey"),
        ("13", "ventura"),
        ("14.2.1", "sonoma"),
        ("15.0.1", "sequoia"),
        ("26.0", "tahoe"),
        ("99.0", "macos"),
        ("", "macos"),
    ],
)
def test_macos_names(monkeypatch: pytest.MonkeyPatch, version: str, name: str) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "mac_ver", lambda: (version, ("", "", ""), ""))
    assert host.host_os() == name


def test_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "FreeBSD")
    monkeypatch.setattr(platform, "release", lambda: "14.0")
    assert host.host_os() == "freebsd14.0"
    monkeypatch.setattr(platform, "system", lambda: "")
    assert host.host_os() == "unknown"
