import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.gateways.installer.factories import make_certificate
from tests.unit.gateways.installer.server import Server, serve


@pytest.fixture
def portal() -> Iterator[Server]:
    with serve() as server:
        yield server


@pytest.fixture
def proxy() -> Iterator[Server]:
    with serve() as server:
        yield server


@pytest.fixture
def tls_portal(tmp_path: Path) -> Iterator[tuple[Server, str]]:
    """A portal behind TLS, and the PEM text of its certificate."""
    certificate, key = make_certificate()
    (tmp_path / "cert.pem").write_text(certificate)
    (tmp_path / "key.pem").write_text(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with serve(context) as server:
        yield server, certificate


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def pause_times(pauses: list[float]) -> Callable[[int], Callable[[float], bool]]:
    """A pause that takes no time and ends the program at the Nth call."""

    def build(count: int) -> Callable[[float], bool]:
        def pause(seconds: float) -> bool:
            pauses.append(seconds)
            return len(pauses) >= count

        return pause

    return build


@pytest.fixture
def unused_port() -> Iterator[int]:
    """Bound but not listening, so nobody else gets it meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
