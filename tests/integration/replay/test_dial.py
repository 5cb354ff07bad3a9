"""TLS is verified, a proxy's CONNECT is honoured, and what goes wrong there is a failed connection."""

from __future__ import annotations

import datetime
import ipaddress
import itertools
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from include.replay.account import Account, FailureKind
from include.replay.engine import replay
from include.replay.pacer import Constant
from include.replay.request import Request
from include.replay.target import Target
from tests.integration.replay.conftest import Serve
from tests.integration.replay.server import Act


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that only its own file vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "local")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(1)
        )
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return folder / "cert.pem", context


class Proxy:
    """A CONNECT proxy: one thread for each direction of each tunnel."""

    def __init__(self, answer: bytes) -> None:
        self.asked: list[bytes] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://user:p%40ss@127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._tunnel, args=(client,), daemon=True).start()

    def _tunnel(self, client: socket.socket) -> None:
        head = client.recv(65536)
        self.asked.append(head)
        client.sendall(self._answer)
        if b" 200 " not in self._answer:
            client.close()
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        target = socket.create_connection((host, int(port)))
        for source, sink in ((client, target), (target, client)):
            threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def proxies() -> Iterator[list[Proxy]]:
    started: list[Proxy] = []
    yield started
    for proxy in started:
        proxy.close()


def run(
    url: str, *, ca: Path | None = None, proxy: str | None = None, body: bytes = b"1" * 5000, count: int = 40
) -> Account:
    return replay(
        target=Target(
            endpoint="churn",
            region="r",
            base_url=url,
            ca_file=str(ca) if ca else None,
            proxy=proxy,
            timeout=60,
        ),
        requests=itertools.repeat(Request(body=body), count),
        pacer=Constant(rate=200),
        duration=None,
        limit=None,
        late_after=30.0,
        inference_id=str,
    )


def test_an_https_target_is_reached_when_its_certificate_is_vouched_for(
    serve: Serve, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    server = serve(tls=certificate[1])
    account = run(server.url.replace("http:", "https:"), ca=certificate[0])
    assert account.answered == 40
    assert {body for _, body in server.seen} == {b"1" * 5000}


def test_a_certificate_that_nobody_vouches_for_is_refused(
    serve: Serve, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    server = serve(tls=certificate[1])
    account = run(server.url.replace("http:", "https:"))
    assert account.failed == {FailureKind.CONNECTION: 40}
    assert server.seen == []


def test_a_certificate_for_another_name_is_refused(
    serve: Serve, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    server = serve(tls=certificate[1])
    account = run(f"https://localhost:{server.port}", ca=certificate[0])
    assert account.failed == {FailureKind.CONNECTION: 40}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_is_larger_than_a_socket_takes_at_once_goes_and_comes_whole(
    serve: Serve, certificate: tuple[Path, ssl.SSLContext], scheme: str
) -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000
    server = serve(lambda _: Act(long), tls=certificate[1] if scheme == "https" else None)
    body = bytes(range(256)) * 20_000
    account = run(f"{scheme}://127.0.0.1:{server.port}", ca=certificate[0], body=body, count=4)
    assert account.answered == 4
    assert [sent for _, sent in server.seen] == [body] * 4


def test_a_body_that_only_the_end_of_tls_may_end_is_cut_off_without_it(
    serve: Serve, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    server = serve(
        lambda number: Act(b"HTTP/1.1 200 OK\r\n\r\n0.25", then="close" if number % 2 else "reset"),
        tls=certificate[1],
    )
    account = run(f"https://127.0.0.1:{server.port}", ca=certificate[0], count=20)
    assert (account.answered, account.failed) == (10, {FailureKind.CONNECTION: 10})


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_is_asked_for_a_tunnel_and_certificates_are_the_targets_own(
    serve: Serve, certificate: tuple[Path, ssl.SSLContext], proxies: list[Proxy], scheme: str
) -> None:
    server = serve(tls=certificate[1] if scheme == "https" else None)
    proxies.append(Proxy(b"HTTP/1.1 200 Connection established\r\n\r\n"))
    account = run(f"{scheme}://127.0.0.1:{server.port}", ca=certificate[0], proxy=proxies[0].url)
    assert account.answered == len(server.seen) == 40
    assert proxies[0].asked[0].startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic dXNlcjpwQHNz" in proxies[0].asked[0]


def test_a_proxy_that_refuses_fails_the_requests(serve: Serve, proxies: list[Proxy]) -> None:
    server = serve()
    proxies.append(Proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"))
    account = run(server.url, proxy=proxies[0].url)
    assert account.failed == {FailureKind.CONNECTION: 40}
    assert server.seen == []
