"""Buckets of an S3 server as a source: ``s3://bucket/prefix``, asked over HTTPS without a login.

The server is that of AWS, or what ``AWS_ENDPOINT_URL_S3``, ``AWS_ENDPOINT_URL`` or
``S3_ENDPOINT_URL`` (as for Spack) names; the region is ``AWS_REGION`` or ``AWS_DEFAULT_REGION``.
A bucket can be listed, so that all its indexes and views are found, and when each was put there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree

from etl.errors import SourceError
from etl.sources.download.fetch import Fetcher

_ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,62})(?:/(.*))?", re.DOTALL)
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "S3_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_REGION = re.compile(r"[a-z0-9-]{1,40}")
MOST_ANSWERS = 2_000
"""So many answers of at most 1,000 keys are read of one listing; more are refused."""
_MAX_ANSWER_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class Key:
    """A file in a bucket: its place, and when it was put there, as ISO text in UTC."""

    place: str
    published: str | None


@dataclass(frozen=True, slots=True)
class Folder:
    """What is right in a folder: the names of its folders, and its files by place."""

    folders: tuple[str, ...]
    files: tuple[Key, ...]


class TooManyFilesError(SourceError):
    """A folder has more files than are listed."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A folder of a bucket: ``address`` as Spack takes it, ``url`` where its files are.

    ``root`` is the address of the bucket itself, ``prefix`` that of the folder in it.
    """

    address: str
    root: str
    prefix: str

    @property
    def url(self) -> str:
        """Where the files of the folder are, over HTTP."""
        return self.root + (f"/{quote(self.prefix)}" if self.prefix else "")


def read_address(address: str) -> Bucket:
    """The folder of a bucket that an address names.

    Raises:
        SourceError: it names none, or the environment names no server.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or not address.isprintable():
        raise SourceError(address[:200], "not as in s3://bucket/prefix")
    bucket, prefix = found[1], (found[2] or "").strip("/")
    endpoint = next((os.environ[it] for it in _ENDPOINTS if os.environ.get(it)), None)
    region = next((os.environ[it] for it in _REGIONS if os.environ.get(it)), None)
    if region is not None and not _REGION.fullmatch(region):
        raise SourceError(address, f"{region!r:.60} is no region")
    if endpoint is not None:
        if urlsplit(endpoint).scheme not in ("http", "https"):
            raise SourceError(address, f"the server {endpoint!r:.100} is not http or https")
        root = f"{endpoint.rstrip('/')}/{bucket}"
    else:
        server = f"s3.{region}.amazonaws.com" if region else "s3.amazonaws.com"
        # A certificate covers no name with more dots.
        path = f"https://{server}/{bucket}" if "." in bucket else f"https://{bucket}.{server}"
        root = path
    name = f"s3://{bucket}" + (f"/{prefix}" if prefix else "")
    return Bucket(name, root, prefix)


class Listing:
    """Lists folders of a bucket, from several threads at once."""

    def __init__(self, fetcher: Fetcher, bucket: Bucket) -> None:
        self._fetcher = fetcher
        self._bucket = bucket

    def folder(self, place: str) -> Folder:
        """What is right in a folder.

        Raises:
            SourceError: the bucket cannot be listed.
        """
        folders: list[str] = []
        keys: list[Key] = []
        for inner, found in self._answers(place, deep=False, most=MOST_ANSWERS):
            folders += inner
            keys += found
        files = tuple(sorted(keys, key=lambda key: key.place))
        return Folder(tuple(sorted(folders)), files)

    def below(self, place: str, most: int = MOST_ANSWERS) -> Iterator[Key]:
        """The files at any depth of a folder, in the order in which the server has them.

        Raises:
            SourceError: the bucket cannot be listed, or takes more than ``most`` answers of 1,000.
        """
        for _, keys in self._answers(place, deep=True, most=most):
            yield from keys

    def has(self, place: str) -> bool:
        """Whether there is a file at a place.

        Raises:
            SourceError: the server cannot be asked.
        """
        return self._fetcher.exists(f"{self._bucket.url}/{quote(place)}")

    def _answers(
        self, place: str, *, deep: bool, most: int
    ) -> Iterator[tuple[list[str], list[Key]]]:
        parts = [part for part in (self._bucket.prefix, place) if part]
        prefix = "/".join(parts) + "/" if parts else ""
        own = f"{self._bucket.prefix}/" if self._bucket.prefix else ""
        query = {"list-type": "2", "prefix": prefix} | ({} if deep else {"delimiter": "/"})
        for _ in range(most):
            address = f"{self._bucket.root}/?{urlencode(query)}"
            path = self._fetcher.download(address, limit=_MAX_ANSWER_BYTES)
            tree = _parse(path.read_bytes(), self._bucket.address)
            keys = [
                Key(key.removeprefix(own), _time(it.findtext("{*}LastModified")))
                for it in tree.iterfind("{*}Contents")
                if (key := it.findtext("{*}Key") or "").startswith(prefix) and key.isprintable()
            ]
            found = (it.findtext("{*}Prefix") or "" for it in tree.iterfind("{*}CommonPrefixes"))
            yield [it.removeprefix(prefix).rstrip("/") for it in found], keys
            if tree.findtext("{*}IsTruncated") != "true":
                return
            token = tree.findtext("{*}NextContinuationToken")
            if not token or token == query.get("continuation-token"):
                message = "the server does not say how to continue its list of files"
                raise SourceError(self._bucket.address, message)
            query["continuation-token"] = token
        raise TooManyFilesError(
            "/".join(part for part in (self._bucket.address, place) if part),
            f"has more than {most * 1000:,} files",
        )


def _parse(data: bytes, address: str) -> ElementTree.Element:
    try:
        text = data.decode(
            "utf-8-sig"
        )  # as S3 has it; in another encoding the next line sees nothing
        # No list has a document type; entities that blow up are declared in one.
        if "<!" in text:
            raise SourceError(address, "the server answers with a page, not with a list of files")
        tree = ElementTree.fromstring(text)  # noqa: S314 - without a document type
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError):
        raise SourceError(address, "the server does not answer with a list of files") from None
    if not tree.tag.endswith("ListBucketResult"):
        raise SourceError(address, "the server does not answer with a list of files")
    return tree


_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z", re.ASCII)


def _time(text: str | None) -> str | None:
    found = _TIME.fullmatch(text or "")
    return f"{found[1]}Z" if found else None
