"""A server that gives tokens for a container registry, as registries' own do.

The registry's specification of token authentication: a signed JSON web token says which repository
may be read until when; the registry checks it against a certificate.
"""

from __future__ import annotations

import base64
import datetime
import json
import time
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

ISSUER, SERVICE = "tokens.example.org", "registry.example.org"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenServer:
    """Gives tokens to whoever knows the password, and for public repositories to anybody.

    ``asked`` are the queries and logins of all requests, ``lifetime`` is that of a token in
    seconds.
    """

    def __init__(self, login: str = "me:secret", *, public: bool = False) -> None:
        self.login = login
        self.public = public
        self.lifetime = 300
        self.asked: list[tuple[dict[str, list[str]], str]] = []
        self._key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
        now = datetime.datetime.now(datetime.timezone.utc)
        day = datetime.timedelta(days=1)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(now - day)
            .not_valid_after(now + day)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def certificate(self) -> bytes:
        """What the registry checks tokens against (``rootcertbundle``)."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def answer(self, handler: BaseHTTPRequestHandler) -> Any:
        """The answer to a request for a token."""
        query = parse_qs(urlsplit(handler.path).query)
        login = handler.headers.get("Authorization", "")
        self.asked.append((query, login))
        known = login == f"Basic {base64.b64encode(self.login.encode()).decode()}"
        if login and not known:
            return 401, b"{}", {"WWW-Authenticate": "Basic"}
        kind, name, actions = query["scope"][0].split(":")
        granted = [{"type": kind, "name": name, "actions": [it for it in actions.split(",") if it]}]
        body = {"token": self._token(granted if known or self.public else [])}
        return 200, json.dumps(body).encode(), {"Content-Type": "application/json"}

    def _token(self, access: list[dict[str, Any]]) -> str:
        now = int(time.time())
        der = self._certificate.public_bytes(serialization.Encoding.DER)
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        # Registries allow for a minute between the clocks.
        claims = {
            "iss": ISSUER, "sub": "me", "aud": SERVICE, "jti": "1", "iat": now - 120,
            "nbf": now - 120, "exp": now + self.lifetime, "access": access,
        }  # fmt: skip
        signed = ".".join(_base64(json.dumps(it).encode()) for it in (header, claims))
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64(signature)}"
