"""Asking a container registry: anonymous, or as ``docker login`` has left it.

A registry that wants a token says where it gives one (``WWW-Authenticate: Bearer``); what
``config.json`` of Docker has for the registry is sent there, or to the registry itself where that
asks for ``Basic``.  Programs that keep passwords elsewhere (``credHelpers``) are not run.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from etl.errors import SourceError
from etl.sources.decode import decode_json
from etl.sources.download.addresses import public_address
from etl.sources.download.client import MissingError
from etl.sources.download.fetch import Fetcher

ACCEPT = "application/vnd.oci.image.manifest.v1+json"
_PARAMETER = re.compile(r'([a-z]+)="([^"]{0,2000})"')
_MAX_TOKEN_BYTES = 1 << 20


def log_in(fetcher: Fetcher, url: str, below: str) -> None:
    """Make requests below an address such as ``https://ghcr.io/v2/name/`` as the registry wants.

    ``url`` is an address in there that is asked for first.

    Raises:
        SourceError: the registry refuses, or cannot be asked.
    """
    headers = {"Accept": ACCEPT}
    fetcher.add_headers(below, headers)
    if fetcher.offline:
        return
    status, challenge = fetcher.challenge(url, headers)
    if status != 401:
        return
    place = public_address(url)
    basic = _kept(urlsplit(url).netloc)
    how = challenge.partition(" ")[0].lower()
    if how == "basic":
        if basic is None:
            raise SourceError(place, "the registry wants a login; log in there with docker login")
        headers["Authorization"] = f"Basic {basic}"
    elif how == "bearer":
        headers["Authorization"] = f"Bearer {_token(fetcher, challenge, url, basic)}"
    else:
        raise SourceError(place, "the registry answers 401 and does not say how to log in")
    fetcher.add_headers(below, headers)
    status, _ = fetcher.challenge(url, headers)
    if status == 401:
        told = "refuses the login that docker login has left" if basic else "wants a login"
        raise SourceError(place, f"the registry {told}; log in there with docker login")


def _token(fetcher: Fetcher, challenge: str, url: str, basic: str | None) -> str:
    place = public_address(url)
    parameters = dict(_PARAMETER.findall(challenge))
    realm = parameters.get("realm", "")
    asked, server = urlsplit(url), urlsplit(realm)
    # A password is not sent in the clear, but to a registry that is asked in the clear anyway.
    if server.scheme != "https" and not (asked.scheme == "http" and server.scheme == "http"):
        raise SourceError(place, f"the registry gives tokens at {realm!r:.100}, which is not https")
    query = {name: parameters[name] for name in ("service", "scope") if name in parameters}
    address = f"{realm}{'&' if server.query else '?'}{urlencode(query)}"
    if basic:
        fetcher.add_headers(address, {"Authorization": f"Basic {basic}"})
    try:
        value = decode_json(fetcher.read(address, _MAX_TOKEN_BYTES), public_address(realm))
    except MissingError:
        raise SourceError(public_address(realm), "the registry gives no token") from None
    token = value.get("token") or value.get("access_token") if isinstance(value, dict) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise SourceError(public_address(realm), "the registry answers without a token")
    return token


def _kept(registry: str) -> str | None:
    """What ``docker login`` has left for a registry: user and password in base 64."""
    folder = os.environ.get("DOCKER_CONFIG") or str(Path("~/.docker").expanduser())
    try:
        value = json.loads((Path(folder) / "config.json").read_bytes())
        kept = value["auths"][registry]["auth"]
        base64.b64decode(kept, validate=True)
    except (OSError, ValueError, LookupError, TypeError, binascii.Error):
        return None
    return str(kept)
