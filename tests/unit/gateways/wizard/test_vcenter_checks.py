import threading

import pytest

from gateways import vcenter_checks
from gateways.vcenter_checks import VCenterRefused, skew_warning, verify_vcenter
from palette_portal.vsphere.errors import (
    CertificateNotTrusted,
    LoginRefused,
    NoPermission,
    NotVCenter,
    Unreachable,
    VSphereError,
)
from palette_portal.vsphere.session import Credentials

CREDENTIALS = Credentials("vcenter.acme.test", "amelia", "secret")


def test_checks_that_take_too_long_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    monkeypatch.setattr(vcenter_checks, "fetch_certificate", lambda *_args, **_kwargs: never.wait(30))

    with pytest.raises(VCenterRefused, match="did not finish answering within") as refused:
        verify_vcenter(CREDENTIALS, trusted_thumbprint="", limit_seconds=0.02)

    never.set()
    assert refused.value.field == "server"


@pytest.mark.parametrize(
    ("error", "field"),
    [
        (Unreachable("x"), "server"),
        (NotVCenter("x"), "server"),
        (LoginRefused("x"), "password"),
        (NoPermission("x"), "username"),
        (CertificateNotTrusted("x"), "trusted_thumbprint"),
    ],
)
def test_checks_put_each_error_at_its_field(
    monkeypatch: pytest.MonkeyPatch, error: VSphereError, field: str
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise error

    monkeypatch.setattr(vcenter_checks, "fetch_certificate", refuse)

    with pytest.raises(VCenterRefused) as refused:
        verify_vcenter(CREDENTIALS, trusted_thumbprint="")

    assert refused.value.field == field
    assert "secret" not in refused.value.reason


def test_checks_do_not_swallow_a_programming_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_args: object, **_kwargs: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr(vcenter_checks, "fetch_certificate", crash)

    with pytest.raises(KeyError):
        verify_vcenter(CREDENTIALS, trusted_thumbprint="")


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, ""), (60, ""), (-60, ""), (61, "61 s ahead of"), (-400, "400 s behind")]
)
def test_skew_beyond_a_minute_is_told(seconds: int, said: str) -> None:
    assert said in skew_warning(seconds)
    assert bool(skew_warning(seconds)) == bool(said)
