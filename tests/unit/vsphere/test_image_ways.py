"""Which way an image comes, and whom it is handed to."""

import hashlib

import pytest

from palette_portal.vsphere.download import Route, open_image
from palette_portal.vsphere.errors import ImageUnusable
from palette_portal.vsphere.nfc import Vouched

PROXIED = Route(http_proxy="http://proxy:3128", https_proxy="http://proxy:3129", no_proxy=".lab, 10.0.0.0/8")


@pytest.mark.parametrize("url", ["https://images.lab/x.ova", "https://lab/x.ova", "http://10.1.2.3/x.ova"])
def test_excluded_host_is_reached_without_the_proxy(url: str) -> None:
    assert PROXIED.proxies_for(url) == {}


@pytest.mark.parametrize(
    "url", ["https://images.example.com/x.ova", "http://11.1.2.3/x.ova", "https://collab/x"]
)
def test_other_host_is_reached_through_the_proxy(url: str) -> None:
    assert PROXIED.proxies_for(url) == {"http": "http://proxy:3128", "https": "http://proxy:3129"}


def test_proxy_is_not_shown() -> None:
    assert "proxy" not in repr(Route(http_proxy="http://bao:secret@proxy:3128")).replace("no_proxy", "")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://images.example.com/x.ova", "images/x.ova", ""])
def test_address_that_is_not_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(ImageUnusable, match="not an address"), open_image(url, Route()):
        pass


def test_host_is_trusted_by_the_thumbprint_that_vcenter_named() -> None:
    digest = hashlib.sha1(b"certificate").hexdigest().upper()
    named = Vouched(thumbprint_sha1=":".join(digest[at : at + 2] for at in range(0, 40, 2)))

    assert named.accepts(b"certificate")
    assert not named.accepts(b"another certificate")
