"""Asking a container registry: anonymous, or as ``docker login`` has left it.

A registry that wants a token says where it gives one (``WWW-Authenticate: Bearer``); what is kept
for the registry (:mod:`etl.sources.download.docker_config`) is sent there, or to the registry
itself where that asks for ``Basic``.  Nothing is sent anywhere else.
"""

from __future__ import annotations

import re
from urllib.parse import urlencode, urlsplit

from etl.errors import SourceError
from etl.sources.decode import decode_json
from etl.sources.download.addresses import public_address
from etl.sources.download.client import MissingError
from etl.sources.download.docker_config import Kept, kept_for
from etl.sources.download.fetch import Fetcher

ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)
"""The manifests that Spack takes, too: of an image, and of several in one."""
_PARAMETER = re.compile(r'([a-z]+)=(?:"([^"]{0,2000})"|([^\s",]{1,2000}))', re.IGNORECASE)
_CHALLENGE = re.compile(r"(?:^|,\s*)(bearer|basic)(?=\s+[a-z]+=|\s*(?:,|$))", re.IGNORECASE)
_MAX_TOKEN_BYTES = 1 << 20


class Login:
    """Makes requests below an address such as ``https://ghcr.io/v2/name/`` as its registry wants.

    ``url`` is an address in there that is asked for first.
    """

    def __init__(self, fetcher: Fetcher, url: str, below: str) -> None:
        self._fetcher = fetcher
        self._url = url
        self._below = below
        self._place = public_address(url)

    def log_in(self) -> None:
        """Log in, if the registry wants that; and again later, since tokens last some minutes.

        Raises:
            SourceError: the registry refuses, or cannot be asked.
        """
        headers = {"Accept": ACCEPT}
        self._fetcher.add_headers(self._below, headers)
        if self._fetcher.offline:
            return
        status, challenge = self._fetcher.challenge(self._url, headers)
        if status == 401:
            kept = kept_for(urlsplit(self._url).netloc)
            headers["Authorization"] = self._authorization(challenge, kept)
            status, _ = self._fetcher.challenge(self._url, headers)
            if status in (401, 403):
                raise SourceError(self._place, _refused(kept))
        if status == 403:
            raise SourceError(self._place, "the registry denies access (403)")
        self._fetcher.add_headers(self._below, headers, renew=self.log_in)

    def _authorization(self, challenge: str, kept: Kept) -> str:
        """What the registry wants to be sent, by how it asks (RFC 9110, section 11.6.1)."""
        asked = challenges(challenge)
        if kept.token and "bearer" in asked:
            return f"Bearer {kept.token}"
        if "bearer" in asked:
            return f"Bearer {self._token(asked['bearer'], kept)}"
        if "basic" in asked:
            if kept.basic is None:
                raise SourceError(self._place, _wanted(kept))
            return f"Basic {kept.basic}"
        raise SourceError(self._place, "the registry answers 401 and does not say how to log in")

    def _token(self, parameters: dict[str, str], kept: Kept) -> str:
        realm = parameters.get("realm", "")
        asked, server = urlsplit(self._url), urlsplit(realm)
        # A password is not sent in the clear, but to a registry that is asked in the clear anyway.
        if server.scheme != "https" and not (asked.scheme == "http" and server.scheme == "http"):
            message = f"the registry gives tokens at {realm!r:.100}, which is not https"
            raise SourceError(self._place, message)
        names: tuple[str, ...] = ("service", "scope")
        query = {name: parameters[name] for name in names if name in parameters}
        address = f"{realm}{'&' if server.query else '?'}{urlencode(query)}"
        headers = {"Authorization": f"Basic {kept.basic}"} if kept.basic else {}
        status, _ = self._fetcher.challenge(address, headers)
        if status in (401, 403):
            raise SourceError(self._place, _refused(kept))
        self._fetcher.add_headers(address, headers)
        place = public_address(realm)
        try:
            value = decode_json(self._fetcher.read(address, _MAX_TOKEN_BYTES), place)
        except MissingError:
            raise SourceError(place, "the registry gives no token") from None
        finally:
            self._fetcher.add_headers(address, {})
        token = value.get("token") or value.get("access_token") if isinstance(value, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise SourceError(place, "the registry answers without a token")
        return token


def challenges(text: str) -> dict[str, dict[str, str]]:
    """The parameters of each way to log in that a registry offers, by its name in lower case."""
    starts = [*_CHALLENGE.finditer(text)]
    ends = [*(it.start() for it in starts[1:]), len(text)]
    return {
        it[1].lower(): {
            name.lower(): quoted or plain
            for name, quoted, plain in _PARAMETER.findall(text[it.end() : end])
        }
        for it, end in zip(starts, ends, strict=False)
    }


def _wanted(kept: Kept) -> str:
    """That the registry requires a login, and why there is none."""
    if kept.helper:
        return (
            f"the registry requires a login, which docker-credential-{kept.helper:.40} keeps, and"
            " no program is run here; set DOCKER_CONFIG to a folder and log in there with docker"
            " login without a credsStore"
        )
    if kept.why_not:
        return f"the registry requires a login, and {kept.why_not}; log in with docker login"
    return "the registry requires a login; log in there with docker login"


def _refused(kept: Kept) -> str:
    if kept.basic or kept.token:
        return (
            "the registry refuses the login that docker login has stored; log in again with"
            " docker login"
        )
    return _wanted(kept)
