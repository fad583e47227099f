"""The first page: each way in which a vCenter can fail, at the field that it belongs to."""

import json
import socket
import ssl
import threading
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from pytest_django import Settings

from gateways import check_limits, time_limit
from gateways.drafts import VCENTER, is_complete, page_values
from gateways.models import ConfigureDraft
from palette_portal.vsphere import trust
from tests.integration.gateways.configure.walk import HTMX, Walk, errors_of, text_of
from tests.integration.vsphere.web_server import web_server


def test_vcenter_accepted_keeps_what_was_verified(walk: Walk) -> None:
    walk.to_placement()

    draft = walk.draft
    assert is_complete(draft, VCENTER)
    assert draft.password == walk.lab.password
    assert draft.vcenter["version"] == "8.0.3"
    assert draft.vcenter["pinned_thumbprint"] == walk.lab.thumbprint_sha256
    assert abs(draft.vcenter["skew_seconds"]) <= 1


def test_vcenter_wrong_password_is_told_at_the_field_and_not_kept(walk: Walk) -> None:
    response = walk.post("vcenter", walk.vcenter(password="wrong-Passw0rd"))

    assert response.status_code == 422
    assert "refused the user name or password" in errors_of(response)["password"]
    assert "wrong-Passw0rd" not in text_of(response)
    assert not ConfigureDraft.objects.exists()


def test_vcenter_unknown_certificate_is_shown_for_confirmation(walk: Walk) -> None:
    response = walk.post("vcenter", walk.vcenter(trusted_thumbprint=""))

    page = text_of(response)
    assert response.status_code == 422
    assert walk.lab.thumbprint_sha256 in page
    assert "CN=vcenter.lab" in page and "Valid until" in page
    assert 'type="checkbox" name="trusted_thumbprint"' in page


def test_vcenter_password_typed_before_the_certificate_question_is_typed_once(walk: Walk) -> None:
    walk.post("vcenter", walk.vcenter(trusted_thumbprint=""))

    walk.accept("vcenter", walk.vcenter(password=""))

    assert walk.draft.password == walk.lab.password


def test_vcenter_changed_certificate_asks_again(walk: Walk) -> None:
    walk.to_placement()
    draft = walk.draft
    draft.vcenter["pinned_thumbprint"] = "AA:BB"
    draft.save()

    response = walk.post("vcenter", walk.vcenter(trusted_thumbprint=""))

    assert response.status_code == 422
    assert "has changed since you confirmed it" in text_of(response)


def test_vcenter_new_password_is_kept_over_the_certificate_question(walk: Walk) -> None:
    walk.to_placement()
    draft = walk.draft
    draft.vcenter["pinned_thumbprint"] = "AA:BB"
    draft.save()
    walk.lab.change_password("another-Passw0rd")

    walk.post("vcenter", walk.vcenter(trusted_thumbprint=""))
    walk.accept("vcenter", walk.vcenter(password=""))

    assert walk.draft.password == "another-Passw0rd"


def test_vcenter_confirmed_before_is_not_asked_again(walk: Walk) -> None:
    walk.to_placement()

    walk.accept("vcenter", walk.vcenter(password="", trusted_thumbprint=""))


def test_vcenter_certificate_of_a_known_authority_needs_no_confirmation(
    walk: Walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, thumbprint = walk.lab.server, walk.lab.thumbprint_sha256
    pem = ssl.get_server_certificate((server.partition(":")[0], int(server.partition(":")[2])))
    plain = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", lambda *_args, **_kwargs: plain(cadata=pem))
    monkeypatch.setattr(trust, "_verifying_context", trust._verifying_context.__wrapped__)

    walk.accept("vcenter", walk.vcenter(trusted_thumbprint=""))

    assert walk.draft.vcenter["pinned_thumbprint"] == ""
    assert walk.draft.vcenter["certificate_thumbprint"] == thumbprint


def test_vcenter_unknown_name_is_told_at_the_server(walk: Walk) -> None:
    response = walk.post("vcenter", walk.vcenter(server="vcenter.invalid"))

    assert "vcenter.invalid" in errors_of(response)["server"]
    assert "DNS" in errors_of(response)["server"]


def test_vcenter_closed_port_is_told_at_the_server(walk: Walk) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{free.getsockname()[1]}"

        response = walk.post("vcenter", walk.vcenter(server=server))

    assert "refused the connection" in errors_of(response)["server"]


def test_vcenter_that_is_another_web_server_is_told_at_the_server(walk: Walk, tmp_path: Path) -> None:
    with web_server(tmp_path, host="127.0.0.1", status=404) as other:
        asked = walk.post("vcenter", walk.vcenter(server=other.server, trusted_thumbprint=""))
        thumbprint = text_of(asked).split('name="trusted_thumbprint"')[1].split('value="')[1].split('"')[0]

        response = walk.post("vcenter", walk.vcenter(server=other.server, trusted_thumbprint=thumbprint))

    assert "does not answer as a vCenter does" in errors_of(response)["server"]
    assert thumbprint in text_of(response), "the confirmation must survive another error"


def test_vcenter_that_hangs_is_given_up_in_time(walk: Walk, settings: Settings) -> None:
    settings.VSPHERE_CONNECT_TIMEOUT_SECONDS = 0.3
    walk.lab.unreachable(30, hang=True)

    response = walk.post("vcenter", walk.vcenter())

    walk.lab.reachable()
    assert "did not answer in time" in errors_of(response)["server"]
    assert page_values(walk.draft, VCENTER)["server"] == walk.lab.server


@pytest.mark.parametrize("version", ["6.5.0", "5.5.0"])
def test_vcenter_too_old_is_refused(walk: Walk, version: str) -> None:
    walk.lab.set_version(version)

    response = walk.post("vcenter", walk.vcenter())

    assert f"vCenter {version} is too old" in errors_of(response)["server"]


def test_vcenter_near_its_end_is_accepted_with_a_warning(walk: Walk) -> None:
    walk.lab.set_version("6.7.0")

    walk.to_placement()

    assert "has reached its end of support" in text_of(walk.get("placement"))


def test_vcenter_clock_out_of_step_is_a_warning(walk: Walk) -> None:
    walk.lab.set_clock_offset(300)

    walk.to_placement()

    page = text_of(walk.get("placement"))
    assert "300 s ahead of the portal" in page


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ("https://vcenter.acme.test", "contains a scheme"),
        ("vcenter.acme.test/ui", "more than a host name"),
        ("vcenter acme.test", "contains a space"),
        ("vcenter.acme.test:0", "no valid port"),
        ("vcenter.acme.test:https", "no valid port"),
        ("-vcenter", "not a host name"),
        ("", "Fill in vCenter server."),
    ],
)
def test_vcenter_server_of_a_wrong_form_is_refused(walk: Walk, server: str, said: str) -> None:
    response = walk.post("vcenter", walk.vcenter(server=server))

    assert response.status_code == 422
    assert said in errors_of(response)["server"]


def test_vcenter_server_loses_surrounding_spaces_and_the_usual_port(walk: Walk) -> None:
    walk.post("vcenter", walk.vcenter(server="  vcenter.invalid:443 "), then="exit")

    assert page_values(walk.draft, VCENTER)["server"] == "vcenter.invalid:443"


def test_vcenter_username_and_password_are_needed(walk: Walk) -> None:
    no_password = walk.post("vcenter", walk.vcenter(password=""))
    nobody = walk.post("vcenter", walk.vcenter(username=""))

    assert errors_of(nobody)["username"] == "Fill in Username."
    assert errors_of(no_password)["password"] == "Fill in Password."


def test_vcenter_stored_password_does_not_follow_to_another_server(walk: Walk) -> None:
    walk.to_placement()

    response = walk.post("vcenter", walk.vcenter(server="other.invalid", password=""))

    assert "belongs to another server or user" in errors_of(response)["password"]


def test_vcenter_password_is_nowhere_but_in_the_encrypted_column(walk: Walk) -> None:
    walk.to_summary()

    for page in ("vcenter", "placement", "addresses", "summary"):
        assert walk.lab.password not in text_of(walk.get(page))
    draft = walk.draft
    assert walk.lab.password not in json.dumps([draft.pages, draft.vcenter])
    assert all(walk.lab.password not in str(found.get_decoded()) for found in Session.objects.all())


def test_vcenter_save_and_exit_keeps_what_was_typed_unchecked(walk: Walk) -> None:
    response = walk.post("vcenter", walk.vcenter(server="vcenter.invalid"), then="exit")

    assert response.url == "/gateways/"
    page = text_of(walk.get("vcenter"))
    assert 'value="vcenter.invalid"' in page
    assert "Stored. Leave empty to keep it." in page
    assert not is_complete(walk.draft, VCENTER)


def test_vcenter_exit_with_another_server_forgets_the_password(walk: Walk) -> None:
    walk.to_placement()

    walk.post("vcenter", walk.vcenter(server="other.invalid", password=""), then="exit")

    assert walk.draft.password == ""


def test_vcenter_refused_as_a_part_is_a_part(walk: Walk) -> None:
    response = walk.post("vcenter", walk.vcenter(password="wrong"), headers=HTMX)

    assert response.status_code == 422
    assert "<html" not in text_of(response)
    assert 'id="configure-vcenter"' in text_of(response)


def test_vcenter_accepted_as_a_part_leads_the_browser_on(walk: Walk) -> None:
    response = walk.post("vcenter", walk.vcenter(), headers=HTMX)

    assert response["HX-Redirect"] == walk.url("placement")


def test_vcenter_checked_too_often_is_not_asked_again(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_limits, "CHECKS_PER_MINUTE", 0)

    response = walk.post("vcenter", walk.vcenter())

    assert response.status_code == 422
    assert "Wait a minute, then try again." in text_of(response)
    assert not is_complete(walk.draft, VCENTER)


def test_vcenter_at_a_denied_address_is_not_connected_to(walk: Walk, settings: Settings) -> None:
    settings.VSPHERE_DENIED_NETWORKS = ["127.0.0.0/8"]

    response = walk.post("vcenter", walk.vcenter())

    assert response.status_code == 422
    assert "leads to 127.0.0.1" in text_of(response)
    assert not is_complete(walk.draft, VCENTER)


def test_vcenter_while_the_portal_asks_for_many_others(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limit, "_places", threading.BoundedSemaphore(1))
    time_limit._places.acquire()

    response = walk.post("vcenter", walk.vcenter())

    assert response.status_code == 422
    assert "Try again in a few seconds." in text_of(response)
