"""Build caches in a container registry: Debian's, with what Spack 1.1.0 pushed to one."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from etl.errors import SourceError
from etl.records import Mirror, Problem
from etl.sources.build_caches.registry import read_address, read_registry, spec_tags
from etl.sources.download.fetch import Fetcher
from etl.sources.download.registry import challenges
from etl.sources.recognise import read_source
from etl.sources.selection import Selection
from tests.sites import hash_of
from tests.storage import Registries, with_registry
from tests.token_server import ISSUER, SERVICE, TokenServer

HASHES = {
    "hello-data": "zyklpecjd6vlhgxlglndlw5jbn6a3rfy",
    "hello-tool": "io5qqcw4lobmt5v6sikvfdlt2j7cwgwm",
}
MINE = Selection(owner="t/s")
PASSWORDS = "me:$2y$04$CPjpan/8/K1JfqSBE2RCSOvmV9J55yZ/QsE4vYp7/mBqj7DRb8Yju\n"  # secret

Serve = Callable[..., str]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Serve]:
    """Starts a registry; gives its address without a scheme."""
    registries = Registries(tmp_path)
    yield registries
    registries.stop()


def node(name: str, hash_: str) -> dict[str, Any]:
    """A spec as the configuration of its image has it."""
    return {
        "name": name,
        "version": "1",
        "hash": hash_,
        "arch": {"platform": "linux", "platform_os": "debian13", "target": "x86_64"},
        "parameters": {},
    }


def sha256(data: bytes) -> str:
    """What a registry calls content."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def found(records: Any) -> dict[str, str]:
    """The packages that are there, and their hashes."""
    (mirror,) = (it for it in records if isinstance(it, Mirror))
    assert (mirror.tag, mirror.stack, mirror.layout, mirror.signed) == ("t", "s", "oci", False)
    there = zip(mirror.specs, mirror.available, strict=True)
    return {spec.package: spec.hash for spec, available in there if available}


@with_registry
def test_what_spack_pushed_is_read(registry: Serve, fetcher: Fetcher) -> None:
    address = f"oci+http://{registry()}/tiny/cache"
    records = list(read_source(address, MINE, fetcher))
    assert found(records) == HASHES
    (mirror,) = (it for it in records if isinstance(it, Mirror))
    assert mirror.url == address


@with_registry
def test_without_an_index_each_spec_is_read(
    registry: Serve, fetcher: Fetcher, tmp_path: Path
) -> None:
    address = registry()
    tags = tmp_path.glob("registry/docker/registry/v2/repositories/tiny/cache/_manifests/tags")
    shutil.rmtree(next(tags) / "index.spack")
    assert (
        found(read_registry(f"oci+http://{address}/tiny/cache", fetcher=fetcher, selection=MINE))
        == HASHES
    )


@with_registry
def test_a_blob_that_is_damaged(registry: Serve, fetcher: Fetcher, tmp_path: Path) -> None:
    address = registry()
    folder = tmp_path / "registry/docker/registry/v2/blobs/sha256"
    (index,) = (it for it in folder.rglob("data") if b'"installs"' in it.read_bytes())
    index.write_bytes(index.read_bytes().replace(b"hello", b"hullo", 1))
    records = list(
        read_registry(f"oci+http://{address}/tiny/cache", fetcher=fetcher, selection=MINE)
    )
    assert not any(isinstance(it, Mirror) for it in records)
    (problem,) = (it for it in records if isinstance(it, Problem))
    assert "it is damaged" in problem.message


@with_registry
def test_nothing_of_that_name(registry: Serve, fetcher: Fetcher) -> None:
    with pytest.raises(SourceError, match=r"no image is called index\.spack"):
        list(read_registry(f"oci+http://{registry()}/no/such", fetcher=fetcher, selection=MINE))


@with_registry
def test_a_login_as_docker_leaves_it(
    registry: Serve, fetcher: Fetcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "passwords").write_text(PASSWORDS)
    address = registry(f"auth:\n  htpasswd:\n    realm: r\n    path: {tmp_path}/passwords\n")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    source = f"oci+http://{address}/tiny/cache"
    with pytest.raises(SourceError, match="requires a login; log in there with docker login"):
        list(read_registry(source, fetcher=fetcher, selection=MINE))
    (tmp_path / "docker").mkdir()
    for password in ("wrong", "secret"):
        login = base64.b64encode(f"me:{password}".encode()).decode()
        config = {"auths": {address: {"auth": login}}}
        (tmp_path / "docker" / "config.json").write_text(json.dumps(config))
        if password == "wrong":
            with pytest.raises(SourceError, match="refuses the login"):
                list(read_registry(source, fetcher=fetcher, selection=MINE))
    records = list(read_registry(source, fetcher=fetcher, selection=MINE))
    assert found(records) == HASHES
    assert login not in repr(records)


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Writes the ``config.json`` that ``docker login`` would have left."""
    folder = tmp_path / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))

    def write(value: Any) -> None:
        (folder / "config.json").write_text(json.dumps(value))

    return write


def with_tokens(
    tokens: TokenServer, registry: Serve, serve: Callable[..., Any], tmp_path: Path
) -> str:
    """A registry that wants tokens of this server; its address without a scheme."""
    (tmp_path / "tokens.pem").write_bytes(tokens.certificate)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, headers = tokens.answer(self)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    realm = f"{serve(Handler).url}/token"
    return registry(
        f"auth:\n  token:\n    realm: {realm}\n    service: {SERVICE}\n"
        f"    issuer: {ISSUER}\n    rootcertbundle: {tmp_path}/tokens.pem\n"
    )


@with_registry
def test_a_token_for_a_repository_that_anybody_may_read(
    registry: Serve, serve: Any, fetcher: Fetcher, tmp_path: Path, docker: Callable[[Any], None]
) -> None:
    tokens = TokenServer(public=True)
    address = with_tokens(tokens, registry, serve, tmp_path)
    source = f"oci+http://{address}/tiny/cache"
    assert found(read_registry(source, fetcher=fetcher, selection=MINE)) == HASHES
    asked = {"service": [SERVICE], "scope": ["repository:tiny/cache:pull"]}
    assert {(str(query), login) for query, login in tokens.asked} == {(str(asked), "")}


@with_registry
def test_a_token_for_what_docker_login_has_left(
    registry: Serve, serve: Any, fetcher: Fetcher, tmp_path: Path, docker: Callable[[Any], None]
) -> None:
    tokens = TokenServer("me:secret")
    address = with_tokens(tokens, registry, serve, tmp_path)
    source = f"oci+http://{address}/tiny/cache"

    def read() -> list[Any]:
        return list(read_registry(source, fetcher=fetcher, selection=MINE))

    with pytest.raises(SourceError, match="the registry requires a login; log in there"):
        read()
    wrong, right = (base64.b64encode(f"me:{it}".encode()).decode() for it in ("x", "secret"))
    docker({"auths": {address: {"auth": wrong}}})
    told = "the registry refuses the login that docker login has stored; log in again with docker"
    with pytest.raises(SourceError, match=f"{told} login$"):
        read()
    docker({"auths": {f"https://{address}/v1/": {"auth": right}}})
    records = read()
    assert found(records) == HASHES
    assert right not in repr(records)
    assert tokens.asked[-1][1] == f"Basic {right}"


@with_registry
def test_a_token_that_expires_while_specs_are_read(
    registry: Serve, serve: Any, fetcher: Fetcher, tmp_path: Path, docker: Callable[[Any], None]
) -> None:
    tokens = TokenServer(public=True)
    address = with_tokens(tokens, registry, serve, tmp_path)
    tags = tmp_path.glob("registry/docker/registry/v2/repositories/tiny/cache/_manifests/tags")
    shutil.rmtree(next(tags) / "index.spack")
    download = fetcher.download

    def after(url: str, **options: Any) -> Path:
        path = download(url, **options)
        if "/tags/list" in url:  # the token is one of long ago from here on
            base = url.partition("tags/list")[0]
            fetcher.add_headers(base, {"Authorization": "Bearer expired"})
        return path

    fetcher.download = after  # type: ignore[method-assign]
    source = f"oci+http://{address}/tiny/cache"
    records = list(read_registry(source, fetcher=fetcher, selection=MINE))
    assert found(records) == HASHES


HELPED = "which docker-credential-desktop keeps, and no program is run here; set DOCKER_CONFIG"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"auths": {"HOST": {}}, "credsStore": "desktop"}, HELPED),
        ({"credHelpers": {"HOST": "desktop"}}, HELPED),
        ({"auths": {"other.example.org": {"auth": "bWU6eA=="}}}, "requires a login; log in there"),
        ({"auths": {"HOST": {"auth": "?"}}}, "is no user and password; log in"),
        ({"auths": {"HOST": {"auth": "bWU="}}}, "is no user and password; log in"),
        ({"auths": {"HOST": {"identitytoken": "x"}}}, "is an identity token; log in"),
        ([], r"config\.json of Docker is not an object"),
        ({"auths": [], "credHelpers": 3}, "requires a login; log in there"),
    ],
)
@pytest.mark.parametrize("challenge", ["basic", "bearer"])
def test_logins_that_cannot_be_used(
    config: Any,
    message: str,
    challenge: str,
    serve_answers: Any,
    fetcher: Fetcher,
    docker: Callable[[Any], None],
) -> None:
    def unauthorized(handler: BaseHTTPRequestHandler) -> Any:
        host = handler.headers["Host"]
        ways = {"basic": 'Basic realm="r"', "bearer": f'Bearer realm="http://{host}/t",service=r'}
        return 401, b"", {"WWW-Authenticate": ways[challenge]}

    answers = {
        "/v2/a/b/manifests/index.spack": unauthorized,
        "/t?service=r": (200, b'{"token":"t"}'),
    }
    server = serve_answers(answers)
    host = server.url.removeprefix("http://")
    docker(json.loads(json.dumps(config).replace("HOST", host)))
    with pytest.raises(SourceError, match=message):
        list(read_registry(f"oci+http://{host}/a/b", fetcher=fetcher, selection=MINE))


@pytest.mark.parametrize(
    ("challenge", "ways"),
    [
        ('Bearer realm="https://a/t",service="s",scope="repository:x:pull"',
         {"bearer": {"realm": "https://a/t", "service": "s", "scope": "repository:x:pull"}}),
        ('bearer Realm="https://a/t", Service=s, Basic realm="b, c"',
         {"bearer": {"realm": "https://a/t", "service": "s"}, "basic": {"realm": "b, c"}}),
        ("Negotiate", {}),
        ("Basic", {"basic": {}}),
        ("", {}),
    ],
)  # fmt: skip
def test_how_registries_ask_for_a_login(challenge: str, ways: dict[str, Any]) -> None:
    assert challenges(challenge) == ways


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((200, b"<html>"), "HTML or XML instead of JSON"),
        ((200, b"{}"), "answers without a token"),
        ((200, b'{"token": "a\\nb"}'), "answers without a token"),
        ((404,), "gives no token"),
        ((500,), "the server answers 500"),
    ],
)
def test_servers_that_give_no_token(
    answer: Any, message: str, serve_answers: Any, fetcher: Fetcher, docker: Callable[[Any], None]
) -> None:
    def unauthorized(handler: BaseHTTPRequestHandler) -> Any:
        way = f'Bearer realm="http://{handler.headers["Host"]}/t",service="r"'
        return 401, b"", {"WWW-Authenticate": way}

    server = serve_answers({"/v2/a/b/manifests/index.spack": unauthorized, "/t?service=r": answer})
    source = server.url.replace("http://", "oci+http://") + "/a/b"
    with pytest.raises(SourceError, match=message):
        list(read_registry(source, fetcher=fetcher, selection=MINE))


def test_a_password_is_not_sent_in_the_clear(
    serve_answers: Any, fetcher: Fetcher, docker: Callable[[Any], None]
) -> None:
    way = {"WWW-Authenticate": 'Bearer realm="ftp://tokens.example.org/t"'}
    server = serve_answers({"/v2/a/b/manifests/index.spack": (401, b"", way)})
    source = server.url.replace("http://", "oci+http://") + "/a/b"
    with pytest.raises(SourceError, match="which is not https"):
        list(read_registry(source, fetcher=fetcher, selection=MINE))


def test_tokens_are_asked_for_over_https(
    serve_answers: Any, fetcher: Fetcher, docker: Callable[[Any], None]
) -> None:
    """The server here has no TLS, which is how far one gets."""

    def unauthorized(handler: BaseHTTPRequestHandler) -> Any:
        way = f'Bearer realm="https://{handler.headers["Host"]}/t"'
        return 401, b"", {"WWW-Authenticate": way}

    server = serve_answers({"/v2/a/b/manifests/index.spack": unauthorized})
    source = server.url.replace("http://", "oci+http://") + "/a/b"
    with pytest.raises(SourceError, match=r"/t: no secure connection \(TLS\)"):
        list(read_registry(source, fetcher=fetcher, selection=MINE))


@pytest.mark.parametrize(("status", "message"), [(403, "denies access"), (500, "answers 500")])
def test_registries_that_refuse(
    status: int, message: str, serve_answers: Any, fetcher: Fetcher
) -> None:
    server = serve_answers({"/v2/a/b/manifests/index.spack": (status,)})
    source = server.url.replace("http://", "oci+http://") + "/a/b"
    with pytest.raises(SourceError, match=message):
        list(read_registry(source, fetcher=fetcher, selection=MINE))


@with_registry
def test_binaries_that_the_index_lists_and_the_registry_lacks(
    registry: Serve, fetcher: Fetcher, tmp_path: Path
) -> None:
    address = registry()
    tags = tmp_path.glob("registry/docker/registry/v2/repositories/tiny/cache/_manifests/tags")
    (gone,) = next(tags).glob("hello-tool-*")
    shutil.rmtree(gone)
    source = f"oci+http://{address}/tiny/cache"
    records = list(read_registry(source, fetcher=fetcher, selection=MINE))
    assert found(records) == {"hello-data": HASHES["hello-data"]}
    (problem,) = (it for it in records if isinstance(it, Problem))
    assert problem.message == (
        "lists 1 binary that the cache does not have; left out: hello-tool/io5qqcw"
    )


@pytest.mark.parametrize("whole", [True, False])
def test_tags_are_listed_in_parts(whole: bool, serve_answers: Any, fetcher: Fetcher) -> None:
    """Some registries give fewer than were asked for, some all at once whatever is asked."""
    names = [f"x-1-{hash_of(number)}.spack" for number in range(5)]

    def listed(handler: BaseHTTPRequestHandler) -> Any:
        last = parse_qs(urlsplit(handler.path).query).get("last", [""])[0]
        part = names if whole else [it for it in names if it > last][:2]
        return 200, json.dumps({"tags": part}).encode()

    asked = ["", *(f"&last={name}" for name in names)]
    server = serve_answers({f"/v2/a/b/tags/list?n=1000{it}": listed for it in asked})
    image = read_address(server.url.replace("http://", "oci+http://") + "/a/b")
    assert spec_tags(fetcher, image) == names
    assert len(server.requests) == (2 if whole else 4)


def test_tags_go_on_where_the_registry_says(serve_answers: Any, fetcher: Fetcher) -> None:
    """Their order need not be that of the alphabet, and what goes on need not be by name."""
    names = [f"x-1-{hash_of(number)}.spack" for number in (4, 1, 3, 2)]

    def part(tags: list[str], following: str | None) -> Any:
        headers = {"Link": f'<{following}>; rel="next"'} if following else {}
        return 200, json.dumps({"tags": tags}).encode(), headers

    server = serve_answers(
        {
            "/v2/a/b/tags/list?n=1000": part(names[:2], "/v2/a/b/tags/list?next_page=x1&n=1000"),
            "/v2/a/b/tags/list?next_page=x1&n=1000": part(names[2:], None),
            f"/v2/a/b/tags/list?n=1000&last={names[2]}": part([], None),
        }
    )
    image = read_address(server.url.replace("http://", "oci+http://") + "/a/b")
    assert spec_tags(fetcher, image) == sorted(names)


@pytest.mark.parametrize("link", ["https://elsewhere/v2/a/b/tags/list", "/v2/other/tags/list"])
def test_tags_that_go_on_elsewhere(link: str, serve_answers: Any, fetcher: Fetcher) -> None:
    tags = json.dumps({"tags": ["x"]}).encode()
    headers = {"Link": f"<{link}>; rel=next"}
    server = serve_answers({"/v2/a/b/tags/list?n=1000": (200, tags, headers)})
    image = read_address(server.url.replace("http://", "oci+http://") + "/a/b")
    with pytest.raises(SourceError, match=r"its list of images continues at http.*, which is"):
        spec_tags(fetcher, image)


def test_several_images_in_one_and_a_packed_spec(serve_answers: Any, fetcher: Fetcher) -> None:
    hash_ = hash_of(1)
    config = gzip.compress(json.dumps({"spec": {"nodes": [node("top", hash_)]}}).encode())
    inner = json.dumps({"config": {"digest": sha256(config)}}).encode()
    outer = json.dumps({"manifests": [{"digest": sha256(inner), "platform": {}}]}).encode()
    server = serve_answers(
        {
            "/v2/a/b/tags/list?n=1000": (
                200,
                json.dumps({"tags": [f"top-1-{hash_}.spack"]}).encode(),
            ),
            f"/v2/a/b/manifests/top-1-{hash_}.spack": (200, outer),
            f"/v2/a/b/manifests/{sha256(inner)}": (200, inner),
            f"/v2/a/b/blobs/{sha256(config)}": (200, config),
        }
    )
    source = server.url.replace("http://", "oci+http://") + "/a/b"
    records = list(read_registry(source, fetcher=fetcher, selection=MINE))
    assert [it for it in records if isinstance(it, Problem)] == []
    assert found(records) == {"top": hash_}


@pytest.mark.parametrize(
    "manifest", [{"manifests": []}, {"manifests": [3]}, {"manifests": [{"digest": "md5:1"}]}, {}]
)
def test_an_index_image_that_is_none(
    manifest: dict[str, Any], serve_answers: Any, fetcher: Fetcher
) -> None:
    data = json.dumps(manifest).encode()
    server = serve_answers({"/v2/a/b/manifests/index.spack": (200, data)})
    source = server.url.replace("http://", "oci+http://") + "/a/b"
    with pytest.raises(SourceError, match="JSON, but not the manifest of an image"):
        list(read_registry(source, fetcher=fetcher, selection=MINE))


def test_a_registry_that_answers_with_a_page(serve_answers: Any, fetcher: Fetcher) -> None:
    page = (200, b"<html>hello</html>", {"Content-Type": "text/html"})
    server = serve_answers({"/v2/a/b/manifests/index.spack": page})
    source = server.url.replace("http://", "oci+http://") + "/a/b"
    with pytest.raises(SourceError, match="JSON"):
        list(read_registry(source, fetcher=fetcher, selection=MINE))


def test_a_registry_that_does_not_answer(dead_url: str, fetcher: Fetcher) -> None:
    source = dead_url.replace("http://", "oci+http://").rstrip("/") + "/a/b"
    with pytest.raises(SourceError, match="no connection"):
        list(read_registry(source, fetcher=fetcher, selection=MINE))


@pytest.mark.parametrize(
    "address", ["oci://", "oci://host", "oci://host/../x", "oci://me:pw@host/x", "oci://h/X Y"]
)
def test_what_names_no_repository(address: str) -> None:
    with pytest.raises(SourceError, match="not as in oci://registry/name"):
        read_address(address)


def test_what_other_specs_bring_along_is_there_if_it_has_an_image_itself(
    serve_answers: Any, fetcher: Fetcher
) -> None:
    """Of three specs, one is only a dependency; one comes by itself, then with another."""
    hashes = {name: hash_of(number) for number, name in enumerate(("low", "mid", "top"))}

    answers: dict[str, Any] = {}
    images = {"mid": ["mid", "low"], "top": ["top", "mid", "low"]}
    for name, inside in images.items():
        config = json.dumps({"spec": {"nodes": [node(it, hashes[it]) for it in inside]}}).encode()
        digest = sha256(config)
        manifest = json.dumps({"config": {"digest": digest}}).encode()
        answers[f"/v2/a/b/manifests/{name}-1-{hashes[name]}.spack"] = 200, manifest
        answers[f"/v2/a/b/blobs/{digest}"] = 200, config
    tags = [f"{name}-1-{hashes[name]}.spack" for name in images]
    answers["/v2/a/b/tags/list?n=1000"] = 200, json.dumps({"tags": tags}).encode()
    answers["/v2/a/b/manifests/index.spack"] = (404,)
    server = serve_answers(answers)
    source = server.url.replace("http://", "oci+http://") + "/a/b"
    records = list(read_registry(source, fetcher=fetcher, selection=MINE))
    assert [it for it in records if isinstance(it, Problem)] == []
    (mirror,) = (it for it in records if isinstance(it, Mirror))
    there = zip(mirror.specs, mirror.available, strict=True)
    assert {spec.package: available for spec, available in there} == {
        "low": False, "mid": True, "top": True,
    }  # fmt: skip
