import base64
import json
from typing import Any

import pytest
import yaml
from pyVmomi import vim

from tests.lab.api import VSphere
from tests.lab.guests import Guests
from tests.lab.portal_double import PortalDouble
from tests.lab.vcsim import Lab
from tests.lab.waiting import wait_until

TEMPLATE = "r_u-2204-0-k-1312-0"
KUBEADM = {"init": "/run/kubeadm/kubeadm.yaml", "join": "/run/kubeadm/kubeadm-join.yaml"}
CONFIGURATION = {
    "init": "kubernetesVersion: v1.31.2\ncontrolPlaneEndpoint: 10.10.0.20:6443\n",
    "join": "discovery:\n  bootstrapToken:\n    apiServerEndpoint: 10.10.0.20:6443\n",
}
PHASE = {"init": "control-plane-ready", "join": "joined"}


def user_data(portal: PortalDouble, verb: str, **more: Any) -> str:
    """As short as a node's user-data can be and still say what to report."""
    target = {
        "url": f"{portal.url}/v1/machines/m-1/reports",
        "machine": "m-1",
        "token": "secret",
        "proxy": "",
    }
    step = ["/usr/local/sbin/palette-step", PHASE[verb], "kubeadm", verb, "--config", KUBEADM[verb]]
    document = {
        "write_files": [
            {"path": "/etc/palette/report.json", "content": json.dumps(target)},
            {"path": KUBEADM[verb], "content": CONFIGURATION[verb]},
            {
                "path": "/etc/systemd/system/palette-heartbeat.timer",
                "content": "[Timer]\nOnUnitInactiveSec=1\n",
            },
        ],
        "runcmd": [
            ["systemctl", "enable", "--now", "palette-heartbeat.timer"],
            ["/usr/local/sbin/palette-report", "booted"],
            step,
            ["/usr/local/sbin/palette-step", "ready", "/usr/local/sbin/palette-wait-ready"],
        ],
    }
    return "#cloud-config\n" + yaml.safe_dump(document | more)


def metadata(address: str = "") -> str:
    addressing = {"addresses": [f"{address}/24"]} if address else {"dhcp4": True}
    network = {"version": 2, "ethernets": {"id0": addressing}}
    return yaml.safe_dump({"local-hostname": "node-1", "network": network})


def switch_on(vcenter: VSphere, name: str, data: str, *, address: str = "") -> Any:
    documents = {"userdata": data, "metadata": metadata(address)}
    values = {f"guestinfo.{key}": base64.b64encode(text.encode()).decode() for key, text in documents.items()}
    values |= {f"guestinfo.{key}.encoding": "base64" for key in documents}
    options = [vim.option.OptionValue(key=key, value=value) for key, value in values.items()]
    vm = vcenter.wait(vcenter.clone(TEMPLATE, name, config=vim.vm.ConfigSpec(extraConfig=options)))
    vcenter.wait(vm.PowerOnVM_Task())
    return vm


def test_static_address_and_reports_are_those_of_the_documents(
    vcenter: VSphere, guests: Guests, portal: PortalDouble
) -> None:
    vm = switch_on(vcenter, "one", user_data(portal, "init"), address="10.10.0.21")

    portal.wait_for(lambda: "heartbeat" in portal.phases())

    assert portal.phases()[:4] == ["booted", "control-plane-ready", "ready", "heartbeat"]
    assert vm.guest.ipAddress == "10.10.0.21"
    assert (vm.guest.hostName, vm.guest.toolsRunningStatus) == ("node-1", "guestToolsRunning")
    first = portal.posted[0]
    assert (first.path, first.authorization) == ("/v1/machines/m-1/reports", "Bearer secret")
    assert first.body == {
        "phase": "booted",
        "message": "",
        "addresses": ["10.10.0.21"],
        "kubelet_version": "v1.31.2",
    }


def test_machine_with_dhcp_gets_an_address_of_the_range(
    vcenter: VSphere, guests: Guests, portal: PortalDouble
) -> None:
    vm = switch_on(vcenter, "one", user_data(portal, "init"))

    portal.wait_for(lambda: "ready" in portal.phases())

    assert vm.guest.ipAddress.startswith("10.60.")


def test_join_waits_for_the_control_plane(vcenter: VSphere, guests: Guests, portal: PortalDouble) -> None:
    switch_on(vcenter, "two", user_data(portal, "join"), address="10.10.0.22")
    portal.wait_for(lambda: portal.phases() == ["booted"])

    switch_on(vcenter, "one", user_data(portal, "init"), address="10.10.0.21")
    portal.wait_for(lambda: portal.phases().count("ready") == 2)

    assert portal.phases().index("joined") > portal.phases().index("control-plane-ready")


def test_reports_are_kept_while_the_portal_does_not_answer(
    vcenter: VSphere, guests: Guests, portal: PortalDouble
) -> None:
    portal.answers = [503, 503]

    switch_on(vcenter, "one", user_data(portal, "init"), address="10.10.0.21")

    portal.wait_for(lambda: "ready" in portal.phases())
    assert portal.phases()[:3] == ["booted", "control-plane-ready", "ready"]


def test_report_the_portal_does_not_want_is_dropped(
    vcenter: VSphere, guests: Guests, portal: PortalDouble
) -> None:
    portal.answers = [401]

    switch_on(vcenter, "one", user_data(portal, "init"), address="10.10.0.21")

    portal.wait_for(lambda: "ready" in portal.phases())
    assert portal.phases()[:2] == ["control-plane-ready", "ready"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [("kubeadm-fails", "couldn't initialize a Kubernetes cluster"), ("wrong-time", "x509")],
)
def test_node_that_fails_says_why_and_stops(
    vcenter: VSphere, guests: Guests, portal: PortalDouble, fault: str, words: str
) -> None:
    guests.faults.add(fault, "one")

    switch_on(vcenter, "one", user_data(portal, "init"), address="10.10.0.21")

    portal.wait_for(lambda: "heartbeat" in portal.phases())
    assert portal.phases()[:3] == ["booted", "failed", "heartbeat"]
    assert words in portal.posted[1].body["message"]


def test_wrong_time_is_put_right_by_ntp(vcenter: VSphere, guests: Guests, portal: PortalDouble) -> None:
    guests.faults.add("wrong-time", "one")

    switch_on(vcenter, "one", user_data(portal, "init", ntp={"servers": ["10.0.0.1"]}), address="10.10.0.21")

    portal.wait_for(lambda: "ready" in portal.phases())


def test_machine_that_never_boots_shows_nothing(
    vcenter: VSphere, guests: Guests, portal: PortalDouble
) -> None:
    guests.faults.add("never-boots", "one", times=1)

    dead = switch_on(vcenter, "one", user_data(portal, "init"), address="10.10.0.21")
    switch_on(vcenter, "two", user_data(portal, "init"), address="10.10.0.22")
    portal.wait_for(lambda: "ready" in portal.phases())

    assert dead.guest.toolsRunningStatus == "guestToolsNotRunning"
    assert {posted.body["addresses"][0] for posted in portal.posted} == {"10.10.0.22"}


def test_machine_without_an_address_runs_its_tools_only(
    vcenter: VSphere, guests: Guests, portal: PortalDouble
) -> None:
    guests.faults.add("no-address")

    vm = switch_on(vcenter, "one", user_data(portal, "init"), address="10.10.0.21")

    wait_until(lambda: vm.guest.toolsRunningStatus == "guestToolsRunning")
    assert not vm.guest.ipAddress
    assert portal.posted == []


def test_machine_that_flaps_loses_its_address_and_gets_it_back(
    vcenter: VSphere, guests: Guests, portal: PortalDouble
) -> None:
    guests.faults.add("flaps")
    vm = switch_on(vcenter, "one", user_data(portal, "init"), address="10.10.0.21")

    portal.wait_for(lambda: "ready" in portal.phases())
    wait_until(lambda: not vm.guest.ipAddress)
    wait_until(lambda: vm.guest.ipAddress == "10.10.0.21")


def test_node_that_was_switched_off_is_the_same_node_afterwards(
    vcenter: VSphere, guests: Guests, portal: PortalDouble
) -> None:
    vm = switch_on(vcenter, "one", user_data(portal, "init"), address="10.10.0.21")
    portal.wait_for(lambda: "ready" in portal.phases())
    vcenter.set_options(vm, {"guestinfo.userdata": base64.b64encode(b"#cloud-config\n{}\n").decode()})

    vcenter.wait(vm.PowerOffVM_Task())
    assert not vm.guest.ipAddress
    portal.posted.clear()
    vcenter.wait(vm.PowerOnVM_Task())

    portal.wait_for(lambda: "heartbeat" in portal.phases())
    assert set(portal.phases()) == {"heartbeat"}
    assert vm.guest.ipAddress == "10.10.0.21"


def test_new_clone_with_a_known_uuid_is_a_new_node(
    vcenter: VSphere, guests: Guests, portal: PortalDouble
) -> None:
    uuids = set()
    for number in (1, 2):
        vm = switch_on(vcenter, "one", user_data(portal, "init"), address="10.10.0.21")
        uuids.add(vm.config.instanceUuid)
        portal.wait_for(lambda wanted=number: portal.phases().count("ready") == wanted)
        vcenter.remove([vm._GetMoId()])

    assert len(uuids) == 1
    assert portal.phases().count("booted") == 2


def test_guests_survive_an_unreachable_vcenter(
    lab: Lab, vcenter: VSphere, guests: Guests, portal: PortalDouble
) -> None:
    switch_on(vcenter, "one", user_data(portal, "init"), address="10.10.0.21")
    portal.wait_for(lambda: "ready" in portal.phases())

    lab.unreachable(seconds=0.5)
    wait_until(lambda: bool(lab.sessions()))
    wait_until(lambda: _answers(lab))
    with lab.connect() as session:
        switch_on(session, "two", user_data(portal, "init"), address="10.10.0.22")

    portal.wait_for(lambda: portal.phases().count("ready") == 2)
    assert portal.phases().count("booted") == 2


def _answers(lab: Lab) -> bool:
    try:
        with lab.connect():
            return True
    except OSError:
        return False


def test_restart_of_the_player_is_no_restart_of_the_nodes(
    lab: Lab, vcenter: VSphere, portal: PortalDouble, tmp_path: Any
) -> None:
    with Guests(lab.login(), data=tmp_path):
        switch_on(vcenter, "one", user_data(portal, "init"), address="10.10.0.21")
        portal.wait_for(lambda: "heartbeat" in portal.phases())
    portal.posted.clear()

    with Guests(lab.login(), data=tmp_path):
        portal.wait_for(lambda: "heartbeat" in portal.phases())

    assert set(portal.phases()) == {"heartbeat"}


def test_restart_of_the_player_is_no_other_kubelet(
    lab: Lab, vcenter: VSphere, portal: PortalDouble, tmp_path: Any
) -> None:
    first = user_data(portal, "init").replace("v1.31.2", "v1.32.3")
    with Guests(lab.login(), data=tmp_path):
        one = switch_on(vcenter, "one", first, address="10.10.0.21")
        portal.wait_for(lambda: "ready" in portal.phases())
        switch_on(vcenter, "two", user_data(portal, "join"), address="10.10.0.22")
        portal.wait_for(lambda: portal.phases().count("ready") == 2)
        vcenter.wait(one.PowerOffVM_Task())
    portal.posted.clear()

    with Guests(lab.login(), data=tmp_path):
        portal.wait_for(lambda: "heartbeat" in portal.phases())

    assert {posted.body["kubelet_version"] for posted in portal.posted} == {"v1.32.3"}


def test_player_leaves_no_session_behind(lab: Lab, vcenter: VSphere) -> None:
    before = len(lab.sessions())

    with Guests(lab.login()):
        wait_until(lambda: len(lab.sessions()) == before + 1)

    assert len(lab.sessions()) == before


def test_golden_user_data_of_the_portal_is_played(
    vcenter: VSphere, guests: Guests, portal: PortalDouble, request: pytest.FixtureRequest
) -> None:
    golden = request.config.rootpath / "tests/golden/bootstrap/first-control-plane.yaml"
    text = golden.read_text().replace("https://portal.example.com", portal.url)

    switch_on(vcenter, "one", text, address="10.10.0.21")

    portal.wait_for(lambda: "ready" in portal.phases())
    assert portal.phases()[:4] == ["booted", "control-plane-ready", "packs-applied", "ready"]
