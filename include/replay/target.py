"""Where requests go, and as whom."""

from __future__ import annotations

import math
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, urlsplit

_RESERVED = {  # written by the signature or by the fields below
    "accept",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "x-amz-date",
    "x-amz-security-token",
    "x-amzn-sagemaker-inference-id",
}


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """AWS credentials; the secrets never appear in a representation."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Target:
    """One SageMaker endpoint as seen by a caller.

    `credentials` may be a callable, asked again about twice a second, so that rotated credentials
    are picked up; None sends unsigned requests. `ca_file` replaces the system's authorities, as
    AWS_CA_BUNDLE does. Certificates are always verified.
    """

    endpoint: str
    region: str
    base_url: str | None = None  # None: the region's public address
    credentials: Credentials | Callable[[], Credentials] | None = field(default=None, repr=False)
    content_type: str = "text/csv"
    accept: str | None = None
    timeout: float = 70.0  # seconds, from sending to the last byte of the answer
    headers: Mapping[str, str] = field(default_factory=dict)
    ca_file: str | None = None
    proxy: str | None = None  # http://[user:password@]host:port
    keep_idle: float = 4.0  # seconds; a connection idle for longer is not used again

    def __post_init__(self) -> None:
        url = self.url
        if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment:
            msg = f"the target's base URL is {self.base_url!r}; it must be http(s)://host[:port][/path]"
            raise ValueError(msg)
        if not self.endpoint:
            msg = "the target has no endpoint name; it needs one"
            raise ValueError(msg)
        if not (self.timeout > 0 and math.isfinite(self.timeout)):
            msg = f"the target's timeout is {self.timeout} s; it must be above 0 and finite"
            raise ValueError(msg)
        taken = sorted(_RESERVED & {name.lower() for name in self.headers})
        if taken or len({name.lower() for name in self.headers}) < len(self.headers):
            msg = f"the target's extra headers name {taken or 'one header twice'}; each is set once, by its own field"
            raise ValueError(msg)
        for name, value in self.all_headers.items():
            if not (name + value).isascii() or not (name + value).isprintable() or not name or ":" in name:
                msg = f"the target's header {name!r} is {value!r}; names and values must be printable ASCII"
                raise ValueError(msg)

    @property
    def url(self) -> SplitResult:
        """Return the base URL in parts."""
        if self.base_url is not None:
            return urlsplit(self.base_url)
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return urlsplit(f"https://runtime.sagemaker.{self.region}.{suffix}")

    @property
    def port(self) -> int:
        """Return the port to connect to."""
        return self.url.port or (443 if self.url.scheme == "https" else 80)

    @property
    def host_header(self) -> str:
        """Return the Host header: lower case, without the scheme's default port."""
        host = (self.url.hostname or "").lower()
        if ":" in host:
            host = f"[{host}]"
        default = 443 if self.url.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"

    @property
    def path(self) -> str:
        """Return the percent-encoded path of InvokeEndpoint."""
        return f"{self.url.path.rstrip('/')}/endpoints/{quote(self.endpoint, safe='-._~')}/invocations"

    @property
    def all_headers(self) -> Mapping[str, str]:
        """Return what is sent with every request besides date, identity and signature."""
        accept = {"Accept": self.accept} if self.accept is not None else {}
        return {"Content-Type": self.content_type, **accept, **self.headers}

    def tls(self) -> ssl.SSLContext | None:
        """Return the verifying TLS context of an https target; None for http."""
        if self.url.scheme != "https":
            return None
        return ssl.create_default_context(cafile=self.ca_file)

    def current_credentials(self) -> Credentials | None:
        """Return the credentials as they are now."""
        return self.credentials() if callable(self.credentials) else self.credentials
