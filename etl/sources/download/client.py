"""One request to a web server: redirects, the status, and the content as it comes.

What can go wrong on the way is a :class:`MissingError`, a :class:`PassingError` for what may go
well the next time, or a plain ``SourceError``.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import httpx

from etl.errors import SourceError
from etl.sources.decode import Gunzip
from etl.sources.download.addresses import public_address

MAX_REDIRECTS = 5

SILENCE, CONNECT = 30.0, 10.0
"""Seconds without a byte, and until there is a connection, after which there is no answer."""

SLOWEST = 1_000
"""Bytes a second that must come once ``PATIENCE`` is over."""
PATIENCE = 60

_MISSING = (403, 404, 410)  # the store behind binaries.spack.io says 403 of what is not there
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)

Progress = Callable[[int, int], None]
"""Is told how many more bytes have come, and how many more are known to be on their way."""


class MissingError(SourceError):
    """There is nothing at the address; or offline, nothing of it in the cache."""


class ForbiddenError(MissingError):
    """The server refuses (403), which some servers say of what is not there."""


class DeniedError(SourceError):
    """The server requires a login (401)."""


class PassingError(Exception):
    """A failure that may pass; its text says what happened."""


class WebClient:
    """Makes requests, from several threads at once; ``progress`` is told one thing at a time.

    ``patience`` is how many seconds it waits for the next byte.
    """

    def __init__(
        self,
        at_once: int,
        verify: ssl.SSLContext | bool,
        progress: Progress | None,
        patience: float = SILENCE,
    ) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._headers: dict[str, dict[str, str]] = {}
        self._client = httpx.Client(
            timeout=httpx.Timeout(patience, connect=min(patience, CONNECT), pool=None),
            verify=verify,
            limits=httpx.Limits(max_connections=at_once),
            headers={"User-Agent": "spack-catalog", "Accept-Encoding": "gzip"},
        )

    def add_headers(self, prefix: str, headers: Mapping[str, str]) -> None:
        """Send these headers with each request below an address, and nowhere else."""
        self._headers[prefix] = dict(headers)

    def challenge(self, url: str, headers: Mapping[str, str]) -> tuple[int, str]:
        """The status of an address, and how its server wants to be asked (``WWW-Authenticate``).

        Raises:
            SourceError, PassingError: there is no answer.
        """
        place = public_address(url)
        with (
            _web_errors(place),
            self._client.stream("GET", url, headers=dict(headers)) as response,
        ):
            return response.status_code, response.headers.get("WWW-Authenticate", "")

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    @contextmanager
    def answer(self, method: str, url: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """The answer to a request, after any redirects: a success, or ``304 Not Modified``."""
        place = public_address(url)
        target = url
        with _web_errors(place):
            for _ in range(MAX_REDIRECTS + 1):
                sent = {**self._headers_at(target), **headers}
                with self._client.stream(method, target, headers=sent) as response:
                    if response.status_code in _REDIRECTS:
                        target = _redirect(response, place)
                        continue
                    conditional = any(name.startswith("If-") for name in headers)
                    _check_status(response, place, conditional=conditional)
                    yield response
                    return
            raise SourceError(place, f"is redirected more than {MAX_REDIRECTS} times")

    def _headers_at(self, url: str) -> dict[str, str]:
        found = (it for prefix, it in self._headers.items() if url.startswith(prefix))
        return next(found, {})

    def blocks(self, response: httpx.Response, place: str, limit: int) -> Iterator[bytes]:
        """The content of an answer, as it comes."""
        announced = response.headers.get("Content-Length", "")
        expected = int(announced) if announced.isdecimal() and len(announced) < 19 else 0
        if expected > limit:
            raise SourceError(place, f"has {expected:,} bytes, and {limit:,} are the most")
        self._tell(0, expected)
        gunzip = _gunzip(response, place, limit)
        start, received, passed_on = time.monotonic(), 0, 0
        for block in response.iter_raw(1 << 16):
            received += len(block)
            self._tell(len(block), 0 if expected else len(block))
            seconds = time.monotonic() - start
            if seconds > PATIENCE and received < seconds * SLOWEST:
                raise PassingError(f"only {received:,} bytes received in {seconds:.0f} seconds")
            content = gunzip.feed(block) if gunzip else block
            passed_on += len(content)
            if passed_on > limit:
                raise SourceError(place, f"has more than {limit:,} bytes; not read any further")
            yield content
        if gunzip:
            gunzip.close()

    def _tell(self, came: int, announced: int) -> None:
        if self._progress:
            with self._lock:
                self._progress(came, announced)


@contextmanager
def _web_errors(place: str) -> Iterator[None]:
    """What can go wrong on the web, as errors of ours."""
    try:
        yield
    except httpx.TimeoutException:
        raise PassingError("no answer in time") from None
    except httpx.UnsupportedProtocol:
        raise SourceError(place, "not an http or https address") from None
    except httpx.InvalidURL as error:
        raise SourceError(place, f"not an address: {error}") from None
    except httpx.TransportError as error:
        tls = _tls_error(error)
        if tls is not None:
            raise SourceError(place, f"no secure connection (TLS): {tls}") from None
        raise PassingError(_broken(error)) from None


def _check_status(response: httpx.Response, place: str, *, conditional: bool) -> None:
    status, reason = response.status_code, response.reason_phrase[:60]
    if status in _MISSING:
        kind = ForbiddenError if status == 403 else MissingError
        raise kind(place, f"there is nothing ({status} {reason}); check the address")
    if status == 401:
        raise DeniedError(place, "the server requires a login (401)")
    if status in _PASSING:
        raise PassingError(f"the server answers {status} {reason}")
    if status != 200 and not (status == 304 and conditional):
        raise SourceError(place, f"the server answers {status} {reason}")


def _redirect(response: httpx.Response, place: str) -> str:
    """Where a redirect leads, if that is on the web."""
    location = response.headers.get("Location", "")
    if not location:
        raise SourceError(place, _nowhere(response))
    target = response.url.join(location)
    if target.scheme not in ("http", "https") or not target.host:
        raise SourceError(
            place, f"is redirected to {location!r:.100}, which is refused: not http or https"
        )
    return str(target)


def _nowhere(response: httpx.Response) -> str:
    """What a redirect that leads nowhere says, such as that of a bucket in another region."""
    region = response.headers.get("x-amz-bucket-region", "")
    if region:
        return f"the bucket is in the region {region!r:.50}; set AWS_REGION to that"
    return f"is redirected ({response.status_code}), and the server does not say where to"


def _gunzip(response: httpx.Response, place: str, limit: int) -> Gunzip | None:
    """What unpacks an answer that the server has packed for the way."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return None
    if encoding in ("gzip", "x-gzip"):
        return Gunzip(place, limit)
    raise SourceError(place, f"comes packed as {encoding!r:.30}, which was not requested")


def _tls_error(error: BaseException) -> str | None:
    """What TLS has against a connection, if that is why there is none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is refused: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return cause.reason or "the TLS handshake failed"
        cause = cause.__cause__ or cause.__context__
    return None


def _broken(error: httpx.TransportError) -> str:
    text = (str(error).splitlines() or [""])[0]
    what = "no connection" if isinstance(error, httpx.ConnectError) else "the connection was lost"
    return f"{what} ({text:.200})" if text else what
