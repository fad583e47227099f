import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from gateways.installer.backoff import PERMANENT_CAP_SECONDS, TRANSIENT_CAP_SECONDS, Backoff
from gateways.installer.loop import Installer
from gateways.installer.options import Options
from tests.unit.gateways.installer.factories import PAIRING_CODE, make_environment, make_values
from tests.unit.gateways.installer.server import ALIVE, REGISTERED, Reply, Server

UUID = "4214c2f5-8f6c-4d7e-9a55-2a3c9d7b1e10"
REFUSED = Reply.of(404, {"code": "InvalidPairingCode", "message": "no"})
BUSY = Reply.of(503, {})
Pauses = Callable[[int], Callable[[float], bool]]


def make_options(folder: Path, server: Server, **changes: str) -> Options:
    values = make_values(console_endpoint=f"http://{server.address}", **changes)
    file = folder / "ovf-env.xml"
    file.write_text(make_environment(values))
    return Options(
        ovf_environment=file,
        state_folder=folder / "state",
        log=folder / "log",
        ip_address="10.0.0.9",
        instance_uuid=UUID,
        ssh_user="",
    )


def paths(server: Server) -> list[str]:
    return [request.path.rsplit("/", 1)[1] for request in server.requests]


def test_installer_registers_and_then_sends_heartbeats(
    tmp_path: Path, portal: Server, pause_times: Pauses, pauses: list[float]
) -> None:
    Installer(make_options(tmp_path, portal), pause_times(3)).run()

    assert paths(portal) == ["register", "heartbeat", "heartbeat"]
    assert pauses == [7, 9, 9]
    assert portal.requests[1].document == {"ip_address": "10.0.0.9", "version": "1.0.0"}


def test_installer_after_a_restart_is_the_same_gateway(
    tmp_path: Path, portal: Server, pause_times: Pauses, pauses: list[float]
) -> None:
    Installer(make_options(tmp_path, portal), pause_times(1)).run()
    pauses.clear()

    Installer(make_options(tmp_path, portal), pause_times(1)).run()

    assert paths(portal) == ["register", "heartbeat"]
    assert portal.requests[1].headers["Authorization"] == "Bearer issued-token"


def test_installer_with_another_endpoint_registers_there(
    tmp_path: Path, portal: Server, proxy: Server, pause_times: Pauses, pauses: list[float]
) -> None:
    Installer(make_options(tmp_path, portal), pause_times(1)).run()
    pauses.clear()

    Installer(make_options(tmp_path, proxy), pause_times(1)).run()

    assert paths(proxy) == ["register"]
    assert "Authorization" not in proxy.requests[0].headers


def test_installer_goes_on_after_a_wrong_code(
    tmp_path: Path, portal: Server, pause_times: Pauses, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    portal.replies = [REFUSED, REFUSED, REGISTERED]

    Installer(make_options(tmp_path, portal), pause_times(3)).run()

    assert paths(portal) == ["register", "register", "register"]
    assert 12 <= pauses[0] <= 18
    assert 24 <= pauses[1] <= 36
    assert caplog.text.count("does not know the pairing code") == 2
    assert caplog.text.count("Compare the Pairing Code property") == 1


def test_installer_starts_with_short_pauses_after_a_success(
    tmp_path: Path, portal: Server, pause_times: Pauses, pauses: list[float]
) -> None:
    portal.replies = [BUSY, BUSY, REGISTERED, BUSY]

    Installer(make_options(tmp_path, portal), pause_times(4)).run()

    assert pauses[1] > 3
    assert pauses[3] < 2.5


def test_installer_registers_again_when_its_token_is_refused(
    tmp_path: Path, portal: Server, pause_times: Pauses
) -> None:
    portal.replies = [REGISTERED, Reply.of(401, {"detail": "Unauthorized"}), REGISTERED, ALIVE]

    Installer(make_options(tmp_path, portal), pause_times(4)).run()

    assert paths(portal) == ["register", "heartbeat", "register", "heartbeat"]
    assert portal.requests[2].document["instance_uuid"] == UUID


def test_installer_with_invalid_properties_says_which(
    tmp_path: Path, portal: Server, pause_times: Pauses, caplog: pytest.LogCaptureFixture
) -> None:
    Installer(make_options(tmp_path, portal, pod_cidr="10.0.0.1/8"), pause_times(2)).run()

    assert portal.requests == []
    assert "Pod CIDR: The network starts at another address; did you mean 10.0.0.0/8?" in caplog.text


def test_installer_that_gets_corrected_properties(
    tmp_path: Path, portal: Server, pause_times: Pauses, pauses: list[float]
) -> None:
    options = make_options(tmp_path, portal, pod_cidr="10.0.0.1/8")
    pause = pause_times(2)

    def correct(seconds: float) -> bool:
        make_options(tmp_path, portal)
        return pause(seconds)

    Installer(options, correct).run()

    assert paths(portal) == ["register"]


def test_log_holds_no_secret(
    tmp_path: Path, portal: Server, proxy: Server, pause_times: Pauses, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"http://bao:hidden@{proxy.address}"
    settings = {"http_proxy": url, "https_proxy": url, "no_proxy": "vcenter"}
    proxy.replies = [Reply(407, "no"), REFUSED, BUSY, REGISTERED, ALIVE]

    Installer(make_options(tmp_path, portal, **settings), pause_times(6)).run()

    assert "Registered as gateway g-1" in caplog.text
    for secret in (PAIRING_CODE, "hidden", "issued-token"):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("transient", "cap"), [(True, TRANSIENT_CAP_SECONDS), (False, PERMANENT_CAP_SECONDS)]
)
def test_backoff_grows_to_its_cap_and_stays_there(transient: bool, cap: float) -> None:
    backoff = Backoff()

    pauses = [backoff.next_pause(transient=transient) for _ in range(2000)]

    assert pauses[0] < pauses[2] < pauses[4]
    assert cap * 0.8 <= pauses[-1] <= cap * 1.2
    assert len(set(pauses)) > 1000


def test_backoff_waits_at_least_as_long_as_asked() -> None:
    assert Backoff().next_pause(transient=True, at_least=42) == 42
