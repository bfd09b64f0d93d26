"""What ``docker login`` has left: ``config.json``, as Spack and other clients read it.

``auths`` has for each registry its ``auth`` (user and password in base 64), or a ``registrytoken``.
Passwords that are kept by a program (``credsStore``, ``credHelpers``) stay with it: no program is
run here.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_MAX_BYTES = 1 << 20
_DOCKER_HUB = {"registry-1.docker.io": "index.docker.io", "docker.io": "index.docker.io"}
"""Names of one registry; its login is kept under the last."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept for a registry: ``basic`` is what ``Authorization: Basic`` takes.

    ``token`` is a bearer token; ``helper`` is the program that keeps the password, if one does;
    ``why_not`` says why what is there cannot be used.
    """

    basic: str | None = None
    token: str | None = None
    helper: str | None = None
    why_not: str | None = None


def kept_for(registry: str) -> Kept:
    """What is kept for a registry, by its host and port; nothing where there is no such file."""
    folder = os.environ.get("DOCKER_CONFIG") or str(Path("~/.docker").expanduser())
    path = Path(folder) / "config.json"
    try:
        if path.stat().st_size > _MAX_BYTES:
            return Kept(why_not="config.json of Docker is too large to be read")
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Kept()
    except (OSError, ValueError):
        return Kept(why_not="config.json of Docker cannot be read")
    if not isinstance(value, dict):
        return Kept(why_not="config.json of Docker is not an object")
    entry = _entry_of(value.get("auths"), registry)
    helpers = value.get("credHelpers")
    helper = helpers.get(registry) if isinstance(helpers, dict) else None
    if helper is None and entry is not None and "auth" not in entry:
        helper = value.get("credsStore")
    return _read(entry or {}, helper if isinstance(helper, str) else None)


def _entry_of(auths: object, registry: str) -> dict[str, object] | None:
    wanted = _DOCKER_HUB.get(registry, registry)
    for name, entry in auths.items() if isinstance(auths, dict) else ():
        host = urlsplit(name).netloc if "://" in name else name.partition("/")[0]
        if host == wanted and isinstance(entry, dict):
            return entry
    return None


def _read(entry: dict[str, object], helper: str | None) -> Kept:
    auth, token = entry.get("auth"), entry.get("registrytoken")
    if isinstance(token, str) and token.isascii() and token.isprintable():
        return Kept(token=token)
    if isinstance(auth, str) and auth:
        try:
            if b":" in base64.b64decode(auth, validate=True):
                return Kept(basic=auth, helper=helper)
        except (ValueError, binascii.Error):
            pass
        return Kept(why_not="the login in config.json of Docker is no user and password")
    if entry.get("identitytoken"):
        return Kept(why_not="the login in config.json of Docker is an identity token")
    return Kept(helper=helper)
