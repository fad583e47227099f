import hashlib
import os
import select
import socket
import struct

import pytest

from palette_portal.vsphere.trust import Trust, thumbprint_of

CERTIFICATE = b"a certificate"
THUMBPRINT = thumbprint_of(CERTIFICATE)


def test_thumbprint_is_written_as_vcenter_writes_it() -> None:
    assert THUMBPRINT.replace(":", "").lower() == hashlib.sha256(CERTIFICATE).hexdigest()
    assert THUMBPRINT.count(":") == 31


@pytest.mark.parametrize("pinned", [THUMBPRINT, THUMBPRINT.lower(), THUMBPRINT.replace(":", "")])
def test_pinned_certificate_is_accepted_however_it_is_written(pinned: str) -> None:
    assert Trust(pinned).accepts(CERTIFICATE)


@pytest.mark.parametrize("pinned", [thumbprint_of(b"another"), THUMBPRINT[:-3], ":", "AA"])
def test_other_certificate_is_not_accepted(pinned: str) -> None:
    assert not Trust(pinned).accepts(CERTIFICATE)


def test_without_a_pin_the_handshake_verifies() -> None:
    context = Trust().context()

    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"


def test_connection_that_is_cut_before_tls_begins_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = socket.create_connection(listener.getsockname())
        descriptor = connection.fileno()
        accepted, _address = listener.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        assert select.select([connection], [], [], 10)[0]

        with pytest.raises(ConnectionResetError):
            Trust(THUMBPRINT).context().wrap_socket(connection, server_hostname="localhost")

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
