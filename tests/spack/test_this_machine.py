"""This machine in Spack's words, from what its system says of itself."""

from __future__ import annotations

import platform

import pytest

from etl.spack import host


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ({"ID": "rocky", "VERSION_ID": "9.4"}, "rocky9"),
        ({"ID": "ubuntu", "VERSION_ID": "22.04"}, "ubuntu22.04"),
        ({"ID": "debian", "VERSION_ID": "12"}, "debian12"),
        ({"ID": "debian"}, "debian"),
        ({"ID": "opensuse-leap", "VERSION_ID": "15.6"}, "opensuse15"),
        ({"ID": "opensuse-tumbleweed", "VERSION_ID": "20250101"}, "opensusetumbleweed2.41"),
        ({"ID": "ol", "VERSION_ID": "8.10"}, "oracle8"),
        ({"ID": "amzn", "VERSION_ID": "2023"}, "amzn2023"),
        ({"ID": "Red Hat", "VERSION_ID": "7.9"}, "red_hat7"),
        ({"ID": "my-own", "VERSION_ID": "1-beta.2"}, "my_own1_beta"),
        ({}, "linux"),
    ],
)
def test_a_linux(monkeypatch: pytest.MonkeyPatch, release: dict[str, str], name: str) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: release)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.41"))
    assert host.host_os() == name


def test_a_linux_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing() -> dict[str, str]:
        raise OSError

    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "freedesktop_os_release", nothing)
    assert host.host_os() == "unknown"


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("10.15.7", "catalina"),
        ("10.16", "bigsur"),
        ("11.6", "bigsur"),
        ("15.1", "sequoia"),
        ("26.0", "tahoe"),
        ("10.4", "macos"),
        ("99", "macos"),
    ],
)
def test_a_mac(monkeypatch: pytest.MonkeyPatch, version: str, name: str) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "mac_ver", lambda: (version, ("", "", ""), "arm64"))
    assert (host.host_platform(), host.host_os()) == ("darwin", name)


@pytest.mark.parametrize(("system", "name"), [("FreeBSD", "freebsd14.1"), ("", "unknown")])
def test_another_system(monkeypatch: pytest.MonkeyPatch, system: str, name: str) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "release", lambda: "14.1")
    assert host.host_os() == name
