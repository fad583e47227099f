import multiprocessing
import ssl
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from palette_portal.vsphere.errors import (
    CertificateNotTrusted,
    LoginRefused,
    NotVCenter,
    SessionExpired,
    Unreachable,
    VersionRefused,
)
from palette_portal.vsphere.inventory import read_inventory
from palette_portal.vsphere.session import (
    ALIVE_FOR_SECONDS,
    IDLE_SECONDS,
    REFUSED_FOR_SECONDS,
    Credentials,
    Sessions,
    VCenter,
    connect,
)
from palette_portal.vsphere.trust import Timeouts, fetch_certificate
from palette_portal.vsphere.version import clock_skew
from tests.integration.vsphere.web_server import web_server
from tests.lab.vcsim import Lab


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(lab: Lab, clock: Clock) -> Iterator[Sessions]:
    with Sessions(clock=clock) as sessions:
        yield sessions


def logins(lab: Lab) -> int:
    return lab.calls().get("Login", 0)


def test_session_ends_with_its_block(lab: Lab, credentials: Credentials) -> None:
    with connect(credentials) as vcenter:
        assert vcenter.is_alive()
        assert vcenter.about.version == "8.0.3"
        assert len(lab.sessions()) == 1

    assert lab.sessions() == []


def test_session_ends_when_its_block_fails(lab: Lab, credentials: Credentials) -> None:
    with pytest.raises(RuntimeError, match="in the block"), connect(credentials):
        raise RuntimeError("in the block")

    assert lab.sessions() == []


def test_wrong_password_is_refused_without_being_told(lab: Lab, credentials: Credentials) -> None:
    wrong = replace(credentials, password="wrong-but-secret")

    with pytest.raises(LoginRefused) as refused, connect(wrong):
        pass

    told = "".join(traceback.format_exception(refused.value)) + repr(wrong) + refused.value.hint
    assert "wrong-but-secret" not in told
    assert lab.sessions() == []


def test_old_server_is_refused_before_the_password_is_sent(lab: Lab, credentials: Credentials) -> None:
    lab.set_version("6.5.0")
    lab.forget_calls()

    with pytest.raises(VersionRefused), connect(credentials):
        pass

    lab.set_version("8.0.3")
    assert logins(lab) == 0


def test_cached_session_is_one_for_many_threads(
    lab: Lab, credentials: Credentials, sessions: Sessions
) -> None:
    with ThreadPoolExecutor(20) as pool:
        given = set(pool.map(lambda _number: sessions.get(credentials), range(40)))

    assert len(given) == 1
    assert len(lab.sessions()) == 1


def test_ended_session_is_renewed_within_a_call(
    lab: Lab, credentials: Credentials, sessions: Sessions
) -> None:
    vcenter = sessions.get(credentials)
    lab.expire_sessions()

    inventory = read_inventory(vcenter)

    assert [datacenter.name for datacenter in inventory.datacenters] == ["dc-1"]
    assert len(lab.sessions()) == 1


def test_ended_session_is_renewed_once_by_many_threads(
    lab: Lab, credentials: Credentials, sessions: Sessions
) -> None:
    vcenter = sessions.get(credentials)
    lab.expire_sessions()
    lab.forget_calls()

    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda _number: read_inventory(vcenter), range(20)))

    assert len(set(found)) == 1
    assert logins(lab) == 1


def test_session_is_checked_before_use_when_it_was_not_lately(
    lab: Lab, credentials: Credentials, sessions: Sessions, clock: Clock
) -> None:
    sessions.get(credentials)
    lab.expire_sessions()
    clock.now += ALIVE_FOR_SECONDS

    assert sessions.get(credentials).is_alive()
    assert len(lab.sessions()) == 1


def test_session_used_again_at_once_costs_no_call(
    lab: Lab, credentials: Credentials, sessions: Sessions
) -> None:
    trips = sessions.get(credentials).round_trips

    assert sessions.get(credentials).round_trips == trips


def test_closed_session_does_not_log_in_again(lab: Lab, credentials: Credentials, sessions: Sessions) -> None:
    vcenter = sessions.get(credentials)
    sessions.close_all()
    lab.forget_calls()

    with pytest.raises(SessionExpired):
        read_inventory(vcenter)

    assert not vcenter.is_alive()
    assert lab.calls() == {}


def test_idle_session_is_logged_out(
    lab: Lab, credentials: Credentials, sessions: Sessions, clock: Clock
) -> None:
    idle = replace(credentials, thumbprint_sha256=credentials.thumbprint_sha256.lower())
    sessions.get(idle)
    clock.now += IDLE_SECONDS + 1

    sessions.get(credentials)

    assert len(lab.sessions()) == 1


def test_changed_password_ends_the_session_made_with_the_old_one(
    lab: Lab, credentials: Credentials, sessions: Sessions
) -> None:
    old = sessions.get(credentials)
    old_password = lab.password
    try:
        lab.change_password("a-new-password")
        sessions.get(lab.credentials())
    finally:
        lab.change_password(old_password)

    assert old.closed
    assert len(lab.sessions()) == 1


def test_refused_password_is_not_sent_again_for_a_while(
    lab: Lab, credentials: Credentials, sessions: Sessions, clock: Clock
) -> None:
    wrong = replace(credentials, password="wrong")
    lab.forget_calls()

    for _ in range(5):
        with pytest.raises(LoginRefused):
            sessions.get(wrong)
    assert logins(lab) == 1

    clock.now += REFUSED_FOR_SECONDS
    with pytest.raises(LoginRefused):
        sessions.get(wrong)
    assert logins(lab) == 2


def _use_in_child(sessions: Sessions, credentials: Credentials, answer) -> None:
    vcenter = sessions.get(credentials)
    answer.send((vcenter.stub.cookie, vcenter.is_alive()))


def test_fork_gets_a_session_of_its_own_logs_it_out_at_its_end_and_leaves_the_parents(
    lab: Lab, credentials: Credentials, sessions: Sessions
) -> None:
    vcenter = sessions.get(credentials)
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    with receiver, sender:
        child = fork.Process(target=_use_in_child, args=(sessions, credentials, sender))
        child.start()
        cookie, alive = receiver.recv()
        child.join(10)
        child.close()

    assert alive
    assert cookie != vcenter.stub.cookie
    assert vcenter.is_alive()
    assert len(lab.sessions()) == 1


def test_server_that_never_answers_is_given_up(lab: Lab, credentials: Credentials) -> None:
    lab.unreachable(30, hang=True)

    with (
        pytest.raises(Unreachable, match="did not answer in time"),
        connect(credentials, Timeouts(connect_seconds=0.3, read_seconds=0.3)),
    ):
        pass


def test_server_that_cuts_connections_is_unreachable_and_works_again_afterwards(
    lab: Lab, credentials: Credentials, sessions: Sessions
) -> None:
    vcenter = sessions.get(credentials)
    lab.unreachable(30)

    with pytest.raises(Unreachable) as error:
        read_inventory(vcenter)
    assert error.value.transient

    lab.reachable()
    assert read_inventory(sessions.get(credentials)).datacenters


def test_refused_connection_is_unreachable(credentials: Credentials, free_port: int) -> None:
    with (
        pytest.raises(Unreachable, match="refused"),
        connect(replace(credentials, server=f"127.0.0.1:{free_port}")),
    ):
        pass


def test_unknown_certificate_is_refused_with_its_thumbprint_and_without_login(
    lab: Lab, credentials: Credentials
) -> None:
    lab.forget_calls()

    with pytest.raises(CertificateNotTrusted) as refused, connect(replace(credentials, thumbprint_sha256="")):
        pass

    assert refused.value.thumbprint_sha256 == lab.thumbprint_sha256
    assert lab.thumbprint_sha256 in refused.value.sentence
    assert logins(lab) == 0


def test_other_thumbprint_is_refused_without_login(lab: Lab, credentials: Credentials) -> None:
    lab.forget_calls()
    other = ":".join(["AA"] * 32)

    with (
        pytest.raises(CertificateNotTrusted, match="not the certificate that was confirmed"),
        connect(replace(credentials, thumbprint_sha256=other)),
    ):
        pass

    assert lab.calls() == {}


def test_server_that_was_replaced_is_refused_by_an_open_session(free_port: int) -> None:
    with Lab(port=free_port) as first:
        vcenter = VCenter(first.credentials()).open()
    with Lab(port=free_port) as second:
        with pytest.raises(Unreachable):
            read_inventory(vcenter)
        with pytest.raises(CertificateNotTrusted):
            read_inventory(vcenter)
    assert second.thumbprint_sha256 != first.thumbprint_sha256


def test_given_ca_verifies_the_server(lab: Lab, credentials: Credentials) -> None:
    ca_pem = ssl.get_server_certificate(("127.0.0.1", credentials.endpoint.port))

    with connect(replace(credentials, thumbprint_sha256="", ca_pem=ca_pem)) as vcenter:
        assert vcenter.is_alive()


def test_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    with web_server(tmp_path, host="elsewhere.example") as elsewhere:
        mistaken = Credentials(elsewhere.server, "amelia", "secret", ca_pem=elsewhere.certificate_pem)

        with pytest.raises(CertificateNotTrusted, match="IP address mismatch"), connect(mistaken):
            pass


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, "<html><body>Welcome<br></body></html>"), (200, "<html></html>"), (200, ""), (404, "Not found")],
)
def test_web_server_that_is_no_vcenter_is_told(tmp_path: Path, status: int, body: str) -> None:
    with web_server(tmp_path, host="127.0.0.1", status=status, body=body) as website:
        mistaken = Credentials(website.server, "amelia", "secret", ca_pem=website.certificate_pem)

        with pytest.raises(NotVCenter), connect(mistaken):
            pass


def test_vcenter_that_is_still_starting_is_unreachable_for_now(tmp_path: Path) -> None:
    with web_server(tmp_path, host="127.0.0.1", status=503) as starting:
        early = Credentials(starting.server, "amelia", "secret", ca_pem=starting.certificate_pem)

        with pytest.raises(Unreachable, match="not ready"), connect(early):
            pass


def test_given_ca_that_is_no_certificate_is_told(credentials: Credentials) -> None:
    with (
        pytest.raises(CertificateNotTrusted, match="cannot be read"),
        connect(replace(credentials, thumbprint_sha256="", ca_pem="-----BEGIN CERTIFICATE-----")),
    ):
        pass


def test_certificate_is_looked_at_without_a_request(lab: Lab, credentials: Credentials) -> None:
    lab.forget_calls()

    certificate = fetch_certificate(credentials.server)

    assert certificate.thumbprint_sha256 == lab.thumbprint_sha256
    assert not certificate.trusted
    assert "self" in certificate.problem
    assert "vcenter.lab" in certificate.subject
    assert certificate.not_before < datetime.now(UTC) < certificate.not_after
    assert lab.calls() == {}


def test_certificate_of_a_server_that_is_not_there(free_port: int) -> None:
    with pytest.raises(Unreachable, match="refused"):
        fetch_certificate(f"127.0.0.1:{free_port}")


def test_clock_skew_is_measured(lab: Lab, vcenter: VCenter) -> None:
    lab.set_clock_offset(300)

    skew = clock_skew(vcenter)

    assert timedelta(seconds=299) < skew < timedelta(seconds=301)
