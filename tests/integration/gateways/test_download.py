"""The gateway-installer link: what the page shows, and what a vSphere without a login gets."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from gateways.actions.pairing import create_gateway
from tests.factories import amelia

pytestmark = pytest.mark.django_db
URL = "/downloads/palette-gateway-installer.ova"
CONTENT = bytes(range(256)) * 4000


@pytest.fixture
def ova(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    path = tmp_path / "installer.ova"
    path.write_bytes(CONTENT)
    settings.GATEWAY_INSTALLER_FILE = str(path)
    yield path


def body(response: HttpResponse) -> bytes:
    if not response.streaming:
        return response.content
    content = b"".join(response)  # type: ignore[call-overload]
    response.close()
    return bytes(content)


def install_page(client: Client) -> str:
    admin = amelia()
    client.force_login(admin)
    gateway, _ = create_gateway(tenant=admin.tenant, by=admin)
    return client.get(f"/gateways/{gateway.pk}/install/").content.decode()


def test_download_without_a_login(client: Client, ova: Path) -> None:
    response = client.get(URL)

    assert response.status_code == 200
    assert response["Content-Type"] == "application/ovf"
    assert response["Content-Length"] == str(len(CONTENT))
    assert response["Accept-Ranges"] == "bytes"
    assert body(response) == CONTENT


def test_download_asked_for_its_size_only(client: Client, ova: Path) -> None:
    response = client.head(URL)

    assert response.status_code == 200
    assert response["Content-Type"] == "application/ovf"
    assert response["Content-Length"] == str(len(CONTENT))
    assert body(response) == b""


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-511", 0, 511), ("bytes=1023000-", 1023000, 1023999), ("bytes=-100", 1023900, 1023999)],
)
def test_download_in_pieces(client: Client, ova: Path, asked: str, first: int, last: int) -> None:
    response = client.get(URL, headers={"Range": asked})

    assert response.status_code == 206
    assert response["Content-Range"] == f"bytes {first}-{last}/{len(CONTENT)}"
    assert response["Content-Length"] == str(last - first + 1)
    assert body(response) == CONTENT[first : last + 1]


def test_download_behind_its_end_is_refused(client: Client, ova: Path) -> None:
    response = client.get(URL, headers={"Range": f"bytes={len(CONTENT)}-"})

    assert response.status_code == 416
    assert response["Content-Range"] == f"bytes */{len(CONTENT)}"


def test_download_that_goes_on_is_whole_when_the_file_has_changed(client: Client, ova: Path) -> None:
    etag = client.head(URL)["ETag"]
    assert body(client.get(URL, headers={"Range": "bytes=5-", "If-Range": etag})) == CONTENT[5:]
    ova.write_bytes(b"newer")
    os.utime(ova, (1_700_000_000, 1_700_000_000))

    response = client.get(URL, headers={"Range": "bytes=2-", "If-Range": etag})

    assert (response.status_code, body(response)) == (200, b"newer")


def test_download_that_is_known_already(client: Client, ova: Path) -> None:
    etag = client.head(URL)["ETag"]

    assert client.get(URL, headers={"If-None-Match": etag}).status_code == 304


def test_downloads_leave_threads_for_the_pages(client: Client, ova: Path) -> None:
    slow = [client.get(URL) for _ in range(4)]

    refused = client.get(URL)
    asked_only = client.head(URL)
    first = body(slow.pop())
    admitted = client.get(URL)

    assert (refused.status_code, refused["Retry-After"]) == (503, "60")
    assert asked_only.status_code == 200
    assert (first, admitted.status_code) == (CONTENT, 200)
    for response in [*slow, admitted]:
        response.close()
    for _ in range(5):
        assert body(client.get(URL)) == CONTENT


def test_download_by_post_is_refused(client: Client, ova: Path) -> None:
    assert client.post(URL).status_code == 405


def test_download_of_a_file_that_is_gone_says_so_without_its_path(client: Client, ova: Path) -> None:
    ova.unlink()

    response = client.get(URL)

    assert response.status_code == 404
    assert b"GATEWAY_INSTALLER_FILE names does not exist" in body(response)
    assert str(ova.parent).encode() not in body(response)


def test_download_that_is_not_set_up(client: Client) -> None:
    response = client.get(URL)

    assert response.status_code == 404
    assert b"no gateway installer yet" in body(response)


def test_page_links_to_the_portals_own_file(client: Client, ova: Path, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://portal.acme.test"

    page = install_page(client)

    assert f'href="https://portal.acme.test{URL}"' in page
    assert f'data-copy="https://portal.acme.test{URL}"' in page


def test_page_prefers_the_link_to_elsewhere(client: Client, ova: Path, settings: Settings) -> None:
    settings.GATEWAY_INSTALLER_URL = "https://files.acme.test/installer.ova"

    page = install_page(client)

    assert 'href="https://files.acme.test/installer.ova"' in page
    assert URL not in page


def test_page_without_an_installer_says_what_to_set_and_where(client: Client) -> None:
    page = install_page(client)

    assert "This portal has no gateway installer yet." in page
    assert "GATEWAY_INSTALLER_FILE" in page and "GATEWAY_INSTALLER_URL" in page and "README" in page
    assert "Copy gateway-installer link" not in page


def test_page_for_a_file_that_is_gone_shows_no_link(client: Client, ova: Path) -> None:
    ova.unlink()

    page = install_page(client)

    assert "The file that GATEWAY_INSTALLER_FILE names does not exist." in page
    assert URL not in page
