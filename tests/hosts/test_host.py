"""Hosts: what they take, how they are named, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from etl.errors import UsageError
from etl.hosts.distributions import distributions, libc_of
from etl.hosts.host import Host, Libc, Need, Reason, read_host
from etl.hosts.machine import this_machine
from etl.hosts.profiles import SHOWN_PROFILES, find_host
from etl.spack.targets import host_target, known_targets

ROCKY = Host("linux", "rocky8", "zen3", Libc("glibc", "2.28"))
ROCKY_PROFILE = replace(ROCKY, name="rocky8/zen3")
MAC = Host("darwin", "sonoma", "m2")


@pytest.mark.parametrize(
    ("host", "need", "reason", "why"),
    [
        (
            replace(ROCKY, target="zen99"),
            Need("linux", "rocky8", "zen3", None),
            "target",
            "built for zen3, this host is zen99, which archspec does not know",
        ),
        (replace(ROCKY, target="zen99"), Need("linux", "rocky8", "zen99", None), None, ""),
        (ROCKY, Need("linux", "amzn2", "zen3", Libc("glibc", "2.26")), None, ""),
        (ROCKY, Need("linux", "any", "x86_64_v3", Libc("glibc", "2.28")), None, ""),
        (ROCKY, Need("linux", "any", "x86_64", None), None, ""),
        (
            ROCKY,
            Need("linux", "rocky9", "x86_64_v3", Libc("glibc", "2.34")),
            "libc",
            "needs glibc 2.34, this host has 2.28",
        ),
        (
            ROCKY,
            Need("linux", "alpine3", "x86_64_v3", Libc("musl", "1.2.4")),
            "libc",
            "needs musl 1.2.4, this host has glibc 2.28",
        ),
        (
            ROCKY,
            Need("linux", "rocky8", "zen3", Libc("glibc", "2.17", "/opt/glibc")),
            "libc",
            "needs glibc 2.17 in /opt/glibc, this host has it in /usr",
        ),
        (
            Host("linux", "x", "zen3"),
            Need("linux", "rocky8", "zen3", Libc("glibc", "2.17")),
            "libc",
            "needs glibc 2.17, the libc of this host is unknown",
        ),
        (ROCKY, Need("linux", "rocky8", "zen4"), "target", "built for zen4, this host is zen3"),
        (ROCKY, Need("linux", "rocky8", "neoverse_v2"), "target", None),
        (ROCKY, Need("darwin", "sonoma", "m1"), "platform", "built for darwin, this host is linux"),
        (ROCKY, Need(None, None, None), "platform", None),
        (MAC, Need("darwin", "ventura", "m1"), None, ""),
        (MAC, Need("darwin", "catalina", "m2"), None, ""),
        (MAC, Need("darwin", "sequoia", "m2"), "os", "built for sequoia, this host is sonoma"),
        (MAC, Need("darwin", "other", "m2"), "os", None),
        (Host("freebsd", "freebsd14", "zen3"), Need("freebsd", "freebsd14", "zen2"), None, ""),
        (Host("freebsd", "freebsd14", "zen3"), Need("freebsd", "freebsd13", "zen2"), "os", None),
    ],
)
def test_what_a_host_takes(host: Host, need: Need, reason: Reason | None, why: str | None) -> None:
    assert host.refuses(need) == reason
    if reason and why:
        assert host.why(reason, need) == why


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("rocky8/zen3", ROCKY_PROFILE),
        ("rhel10", Host("linux", "rhel10", "x86_64", Libc("glibc", "2.39"), "rhel10/x86_64")),
        (
            "sles15.6/zen2",
            Host("linux", "sles15", "zen2", Libc("glibc", "2.38"), "sles15.6/zen2"),
        ),
        (
            "alpine3.20/zen4",
            Host("linux", "alpine3", "zen4", Libc("musl", "1.2.5", "/"), "alpine3.20/zen4"),
        ),
        ("linux-rocky8-zen3", ROCKY_PROFILE),
        ("Rocky 8.10/Zen3", ROCKY_PROFILE),
        ("rocky-8/zen3", ROCKY_PROFILE),
        ("darwin-sequoia-m1", Host("darwin", "sequoia", "m1", None, "sequoia/m1")),
        ("sequoia/m1", Host("darwin", "sequoia", "m1", None, "sequoia/m1")),
    ],
)
def test_profiles(name: str, host: Host) -> None:
    assert find_host(name) == host
    assert read_host(host.to_json(), "x") == Host(host.platform, host.os, host.target, host.libc)


def test_every_profile_that_pages_show() -> None:
    assert [str(find_host(name)) for name in SHOWN_PROFILES] == list(SHOWN_PROFILES)
    assert {it[0] for it in distributions().values()} == {"linux", "darwin"}
    for name in (
        *("rocky8", "rocky9", "rhel10", "ubuntu22.04", "ubuntu24.04", "debian12", "debian13"),
        *("sles15.6", "amzn2", "amzn2023", "alpine3.20", "sequoia"),
    ):
        assert find_host(name)
    assert libc_of("ubuntu22.04") == Libc("glibc", "2.35")
    assert libc_of("nosuch") is None


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    told = {"platform": "linux", "os": "rocky8", "target": "zen3", "libc": "glibc@=2.28"}
    path.write_text(json.dumps({**told, "libc_path": "/opt/glibc"}))
    assert find_host(str(path)) == Host(
        "linux", "rocky8", "zen3", Libc("glibc", "2.28", "/opt/glibc")
    )
    path.write_text(json.dumps({**told, "libc": None}))
    assert find_host(str(path)).libc is None
    with pytest.raises(UsageError, match="no host"):
        find_host(str(path), files=False)


def test_a_file_may_have_any_name_and_be_written_in_any_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = {"platform": "Linux", "os": "Rocky8", "target": "Zen3", "libc": "GLIBC@2.28"}
    text = json.dumps({**told, "libc_path": "/usr/", "name": "login", "cores": 64})
    Path("login").write_text(f"\ufeff{text}", "utf-8")
    assert find_host("login") == replace(ROCKY, name="login")
    Path("login").write_text(json.dumps({**told, "libc": "musl@=1.2.5", "libc_path": "/"}))
    assert find_host("login").libc == Libc("musl", "1.2.5", "/")


def test_a_host_without_a_system_is_called_by_its_platform() -> None:
    told = {"platform": "linux", "target": "zen3", "libc": "glibc@=2.28"}
    assert str(read_host(json.dumps(told), "x")) == "linux/zen3"


@pytest.mark.parametrize(
    ("odd", "shown"), [("\ud800", "\\ud800"), ("a\nb", "a\\nb"), ("\x1b[2J", "\\x1b[2j")]
)
def test_what_no_terminal_can_show_is_escaped(odd: str, shown: str) -> None:
    told = {"platform": odd, "os": odd, "target": "zen3", "name": odd}
    host = read_host(json.dumps(told), "x")
    assert (host.platform, host.os, str(host).lower()) == (shown, shown, shown)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"platform": "darwin", "target": "m1"}', "has no os, which decides on 'darwin'"),
        ('{"platform": "linux", "target": "zen3", "libc": "a@1:2"}', "libc is 'a@1:2'; expected"),
        ("{", "is not JSON; make one with: spack-catalog host"),
        ("[" * 100_001, "is too large to be a host"),
        ("[" * 50_000, "is not JSON"),
        ("[]", "is not a host"),
        ("{}", "platform is None, and not a name"),
        ('{"platform": "linux", "target": 3}', "target is 3, and not a name"),
        ('{"platform": "linux", "target": "zen3", "libc": 2.28}', "os and libc are names"),
        ('{"platform": "linux", "target": "zen3", "libc": "2.28"}', "expected one as in glibc@=2"),
        (
            '{"platform": "linux", "target": "zen3", "libc": "a@=1", "libc_path": 1}',
            "libc_path is 1",
        ),
    ],
)
def test_files_that_are_no_host(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "node.json"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        find_host(str(path))
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rocky88/zen3", "did you mean rocky8 or rocky9"),
        ("rocky8/zen33", "no target zen33 that archspec knows; did you mean zen3"),
        ("", "expected host (this machine), a distribution with a CPU"),
        (" ", "no host ' ': expected"),
        ("./nosuch.json", "./nosuch.json: no such file"),
        ("a" * 3_000, f"{'a' * 60}: cannot be read as a host"),
        ("nul\0", "no host nul"),
    ],
)
def test_names_of_no_host(name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_host(name)
    assert message in str(caught.value)


def test_this_machine() -> None:
    host = this_machine()
    assert host.target == host_target()
    assert host.target in known_targets()
    assert host.platform in ("linux", "darwin")
    assert (host.libc is not None) == (host.platform == "linux")
    assert find_host("host") == host
