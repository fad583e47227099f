"""What the lab's control plane nodes do when they are asked."""

from uuid import uuid4

import yaml

from clusters.load import parse_load
from palette_portal.bootstrap.instructions import instruction_text
from tests.lab.api import VSphere
from tests.lab.guests import Guests
from tests.lab.guests.clusters import Clusters
from tests.lab.portal_double import PortalDouble
from tests.lab.test_guests import KUBEADM, switch_on, user_data
from tests.lab.waiting import wait_until

ENDPOINT = "10.10.0.20:6443"
TOKEN, OTHER = "abcdef.0123456789abcdef", "fedcba.0123456789abcdef"


def documents(portal: PortalDouble, verb: str, *, token: str = TOKEN, master: bool = True) -> str:
    config = yaml.safe_load(user_data(portal, verb))
    timer = "palette-instructions.timer"
    if master:
        config["runcmd"][0].append(timer)
        content = "[Timer]\nOnUnitInactiveSec=15\n"
        config["write_files"].append({"path": f"/etc/systemd/system/{timer}", "content": content})
    for item in config["write_files"]:
        if item["path"] == KUBEADM[verb]:
            item["content"] += f"bootstrap:\n- token: {token}\n" + ("controlPlane: {}\n" if master else "")
    return "#cloud-config\n" + yaml.safe_dump(config)


def first_node(vcenter: VSphere, portal: PortalDouble) -> None:
    switch_on(vcenter, "one", documents(portal, "init"), address="10.10.0.21")
    portal.wait_for(lambda: "ready" in portal.phases())


def ask(portal: PortalDouble, kind: str, **arguments: object) -> dict[str, str]:
    before = len(portal.done)
    portal.instructions.append(instruction_text(uuid4(), kind, arguments))
    portal.wait_for(lambda: len(portal.done) > before)
    return portal.done[-1]


def test_join_needs_a_token_that_the_cluster_knows(
    vcenter: VSphere, guests: Guests, portal: PortalDouble
) -> None:
    first_node(vcenter, portal)
    switch_on(vcenter, "two", documents(portal, "join", token=OTHER), address="10.10.0.22")
    portal.wait_for(lambda: "failed" in portal.phases())
    assert "JWS" in next(posted.body["message"] for posted in portal.posted if posted.body["message"])

    assert ask(portal, "create-join-token", token=OTHER)["state"] == "done"

    switch_on(vcenter, "three", documents(portal, "join", token=OTHER), address="10.10.0.23")
    portal.wait_for(lambda: "joined" in portal.phases())
    assert guests.clusters.of(ENDPOINT).nodes == {"one", "three"}


def test_node_that_leaves_is_no_member_any_more(
    vcenter: VSphere, guests: Guests, portal: PortalDouble
) -> None:
    first_node(vcenter, portal)
    switch_on(vcenter, "two", documents(portal, "join"), address="10.10.0.22")
    portal.wait_for(lambda: portal.phases().count("ready") == 2)

    assert ask(portal, "remove-node", name="two") == {"state": "done", "message": ""}

    assert set(guests.clusters.of(ENDPOINT).members) == {"one"}


def test_api_is_silent_when_half_of_the_members_is_off(
    vcenter: VSphere, guests: Guests, portal: PortalDouble
) -> None:
    first_node(vcenter, portal)
    vm = switch_on(vcenter, "two", documents(portal, "join"), address="10.10.0.22")
    portal.wait_for(lambda: portal.phases().count("ready") == 2)

    vcenter.wait(vm.PowerOffVM_Task())
    wait_until(lambda: not guests.clusters.of(ENDPOINT).answers)

    assert "refused" in ask(portal, "remove-node", name="two")["message"]


def test_node_that_never_drains(vcenter: VSphere, guests: Guests, portal: PortalDouble) -> None:
    guests.faults.add("never-drains", "two")
    first_node(vcenter, portal)
    switch_on(vcenter, "two", documents(portal, "join", master=False), address="10.10.0.22")
    portal.wait_for(lambda: portal.phases().count("ready") == 2)

    answer = ask(portal, "remove-node", name="two")

    assert answer["state"] == "failed"
    assert "disruption budget" in answer["message"]
    assert "two" in guests.clusters.of(ENDPOINT).nodes


def test_first_instruction_fails_and_the_next_does_not(
    vcenter: VSphere, guests: Guests, portal: PortalDouble
) -> None:
    guests.faults.add("instruction-fails", "one")
    first_node(vcenter, portal)

    states = [ask(portal, "set-kubernetes-version", version="1.31.9")["state"] for _ in range(2)]

    assert states == ["failed", "done"]
    assert guests.clusters.of(ENDPOINT).version == "v1.31.9"


def test_worker_asks_for_nothing(vcenter: VSphere, guests: Guests, portal: PortalDouble) -> None:
    first_node(vcenter, portal)
    switch_on(vcenter, "two", documents(portal, "join", master=False), address="10.10.0.22")
    portal.wait_for(lambda: portal.phases().count("ready") == 2)

    assert set(guests.clusters.of(ENDPOINT).members) == {"one"}


def test_load_is_told_when_the_portal_wants_to_know(
    vcenter: VSphere, guests: Guests, portal: PortalDouble
) -> None:
    first_node(vcenter, portal)
    assert portal.loads == []
    (guests.data / "pods").write_text("pod\tdefault/job\t\tUnschedulable\tJob\t2,2Gi\n")

    portal.wants_load = True
    portal.wait_for(lambda: portal.loads)

    load = parse_load(portal.loads[0])
    assert [node.name for node in load.nodes] == ["one"]
    assert [pod.name for pod in load.pending] == ["default/job"]


def test_cluster_keeps_its_version_when_the_player_starts_anew() -> None:
    clusters = Clusters()

    clusters.resume(ENDPOINT, "one", is_master=True, version="v1.36.4")
    clusters.resume(ENDPOINT, "two", is_master=False, version="v1.35.1")

    assert clusters.of(ENDPOINT).version == "v1.36.4"
