"""The second page: what vCenter has, choice by choice."""

import re

import pytest
from django.core.cache import cache
from pyVmomi import vim

from gateways.drafts import ADDRESSES, PLACEMENT, is_complete, open_reason, page_values
from tests.integration.gateways.configure.walk import HTMX, NAMES, POOL, Walk, errors_of, options_of, text_of
from tests.lab.api import VSphere

SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6zYCXLJ5Y+ZGc4EMMWvW7YqkYJ0z0kqHj8P3VVmh2L amelia@acme"
PRIVATE_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----"


def test_placement_page_shows_at_once_that_the_inventory_is_being_read(walk: Walk) -> None:
    walk.to_placement()
    calls = walk.lab.calls()

    page = text_of(walk.get("placement"))

    assert "Reading the inventory" in page
    assert 'hx-trigger="load"' in page
    assert walk.lab.calls() == calls


def test_placement_without_javascript_waits_for_the_inventory(walk: Walk) -> None:
    walk.to_placement()

    assert options_of(walk.get("placement", {"wait": "1"}), "datacenter")[1] == "dc-1|3 compute clusters"


def test_placement_choices_follow_the_ones_before(walk: Walk) -> None:
    walk.to_placement()
    chosen = walk.placement()

    nothing = walk.fields("placement", {})
    datacenter = walk.fields("placement", {"datacenter": chosen["datacenter"]})
    both = walk.fields("placement", {name: chosen[name] for name in ("datacenter", "compute_cluster")})

    assert options_of(nothing, "compute_cluster") == ["Select a data center first"]
    assert options_of(nothing, "network") == ["Select a compute cluster first"]
    assert "cluster-2|3 hosts" in options_of(datacenter, "compute_cluster")
    assert "palette-gateways" in options_of(datacenter, "folder")
    assert options_of(datacenter, "datastore") == ["Select a compute cluster first"]
    assert "Resources/platform|cluster-1" in options_of(both, "resource_pool")
    assert "k8s-nodes|dvs-1" in options_of(both, "network")


def test_placement_offers_only_datastores_that_the_hosts_reach(walk: Walk) -> None:
    walk.to_placement()
    chosen = walk.placement()

    offered = options_of(walk.fields("placement", chosen), "datastore")

    assert any(label.startswith("shared-nfs-1|") and " free of " in label for label in offered)
    assert any(label.startswith("cluster-1-vmfs|") for label in offered)
    assert not any(label.startswith("cluster-2-vmfs") for label in offered)


def test_placement_another_compute_cluster_drops_what_hung_on_the_old_one(walk: Walk) -> None:
    walk.to_placement()
    first = walk.placement()
    second = walk.placement({**NAMES, "compute_cluster": "cluster-2"})

    redrawn = text_of(walk.fields("placement", {**first, "compute_cluster": second["compute_cluster"]}))

    assert f'value="{second["compute_cluster"]}" selected' in redrawn
    assert f'value="{first["datastore"]}" selected' in redrawn, "the shared datastore stays"
    assert first["resource_pool"] not in redrawn


def test_placement_is_kept_with_names(walk: Walk) -> None:
    walk.to_placement()

    walk.accept(
        "placement", walk.placement(ssh_keys=SSH_KEY, ntp_servers="10.0.0.4, time.acme.test", nodes="3")
    )

    values = page_values(walk.draft, PLACEMENT)
    assert values["names"] == NAMES
    assert values["nodes"] == 3
    assert values["ssh_keys"] == [SSH_KEY]
    assert values["ntp_servers"] == ["10.0.0.4", "time.acme.test"]


@pytest.mark.parametrize("choice", list(NAMES))
def test_placement_unknown_value_is_refused_at_its_field(walk: Walk, choice: str) -> None:
    walk.to_placement()

    response = walk.post("placement", walk.placement(**{choice: "domain-c999"}))

    assert response.status_code == 422
    assert "does not exist there" in errors_of(response)[choice]


def test_placement_without_choices_asks_for_each(walk: Walk) -> None:
    walk.to_placement()

    response = walk.post("placement", {"nodes": "1"})

    assert errors_of(response)["datacenter"] == "Select a data center."


def test_placement_full_datastore_is_refused(walk: Walk) -> None:
    walk.to_placement()

    response = walk.post("placement", walk.placement({**NAMES, "datastore": "cluster-1-scratch"}))

    assert errors_of(response)["datastore"].endswith("a one-node gateway needs 60 GB.")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("nodes", "2", "valid choice"),
        ("ssh_keys", "ssh-ed25519 AAAA", "Line 1"),
        ("ssh_keys", SSH_KEY.replace("ssh-ed25519", "ssh-rsa"), "not of the type ssh-rsa"),
        ("ssh_keys", PRIVATE_KEY, "PRIVATE key"),
        ("ntp_servers", "10.0.0.4, not_a_host!", "“not_a_host!” is neither"),
        ("ntp_servers", "10.0.0.999", "“10.0.0.999” is neither"),
    ],
)
def test_placement_wrong_value_is_refused_at_its_field(walk: Walk, field: str, value: str, said: str) -> None:
    walk.to_placement()

    response = walk.post("placement", walk.placement(**{field: value}))

    assert response.status_code == 422
    assert said in errors_of(response)[field]


@pytest.mark.parametrize("then", ["continue", "exit", "update"])
def test_placement_private_key_is_neither_shown_again_nor_kept(walk: Walk, then: str) -> None:
    walk.to_placement()

    response = walk.post("placement", walk.placement(ssh_keys=PRIVATE_KEY), then=then)

    assert "b3BlbnNzaC1rZXktdjEA" not in text_of(response)
    assert "b3BlbnNzaC1rZXktdjEA" not in str(walk.draft.pages)


def test_placement_vcenter_down_says_so_and_offers_to_try_again(walk: Walk) -> None:
    walk.to_placement()
    chosen = walk.placement()
    walk.lab.unreachable(600)

    part = text_of(walk.fields("placement", {**chosen, "refresh": "1"}))

    assert "The inventory cannot be read" in part
    assert "Try again" in part
    assert f'name="network" value="{chosen["network"]}"' in part, "what was chosen is sent again"


def test_placement_sent_while_vcenter_is_down_is_not_lost(walk: Walk) -> None:
    walk.to_placement()
    chosen = walk.placement(ssh_keys=SSH_KEY)
    cache.clear()
    walk.lab.unreachable(600)

    response = walk.post("placement", chosen)

    walk.lab.reachable()
    assert response.status_code == 422
    assert "The inventory cannot be read" in text_of(response)
    assert SSH_KEY in text_of(response)
    back = text_of(walk.fields("placement", {}))
    assert f'value="{chosen["network"]}" selected' in back


def test_placement_refresh_reads_vcenter_anew(walk: Walk, vcenter: VSphere) -> None:
    walk.to_placement()
    chosen = walk.placement()
    folder = vcenter.find(vim.Folder, "palette-gateways")
    vcenter.rename(folder, "renamed")
    try:
        cached = options_of(walk.fields("placement", chosen), "folder")
        fresh = options_of(walk.fields("placement", {**chosen, "refresh": "1"}), "folder")
    finally:
        vcenter.rename(folder, "palette-gateways")

    assert "palette-gateways" in cached and "renamed" not in cached
    assert "renamed" in fresh and "palette-gateways" not in fresh


def test_placement_says_how_old_its_choices_are(walk: Walk) -> None:
    walk.to_placement()
    read = re.compile(r'As vCenter was <time-ago datetime="(.*?)"')

    first = read.findall(text_of(walk.fields("placement", {})))
    second = read.findall(text_of(walk.get("placement")))
    refreshed = read.findall(text_of(walk.fields("placement", {"refresh": "1"})))

    assert first and first == second
    assert refreshed[0] > first[0]


def test_placement_vanished_value_has_to_be_selected_again(walk: Walk) -> None:
    walk.to_placement()
    walk.accept("placement", walk.placement())
    draft = walk.draft
    draft.pages[PLACEMENT]["values"]["network"] = "network-999"
    draft.pages[PLACEMENT]["values"]["names"]["network"] = "removed"
    draft.save()

    part = text_of(walk.get("placement"))

    assert "No longer there: Network “removed”." in part


def test_placement_of_another_account_is_reopened_and_keeps_what_exists(walk: Walk) -> None:
    walk.to_summary()
    draft = walk.draft
    values = draft.pages[PLACEMENT]["values"]
    values["account"], values["datacenter"] = "administrator on old.acme.test", "datacenter-999"
    draft.save()

    walk.accept("vcenter", walk.vcenter())

    assert not is_complete(walk.draft, PLACEMENT)
    late = walk.client.get(walk.url("summary"), follow=True)
    assert late.redirect_chain[-1][0] == walk.url("placement")
    assert "The vCenter or its user changed" in text_of(late)
    part = walk.fields("placement", {})
    assert "selected" in text_of(part).split('name="network"')[1].split("</select>")[0]


def test_placement_with_another_number_of_nodes_reopens_the_addresses(walk: Walk) -> None:
    walk.to_summary()

    walk.accept("placement", walk.placement(nodes="3"))

    assert "number of nodes changed" in open_reason(walk.draft, ADDRESSES)
    assert page_values(walk.draft, ADDRESSES)["name"] == POOL["name"]


def test_placement_back_without_a_change_stays_complete(walk: Walk) -> None:
    walk.to_addresses(ssh_keys=SSH_KEY, ntp_servers="10.0.0.4 10.0.0.5", nodes="3")

    response = walk.post(
        "placement",
        walk.placement(ssh_keys=SSH_KEY, ntp_servers="10.0.0.4, 10.0.0.5", nodes="3"),
        then="back",
    )

    assert response.url == walk.url("vcenter")
    assert is_complete(walk.draft, PLACEMENT)


def test_placement_back_with_a_change_keeps_it_unchecked(walk: Walk) -> None:
    walk.to_addresses()

    walk.post("placement", walk.placement(ntp_servers="wrong!"), then="back")

    assert not is_complete(walk.draft, PLACEMENT)
    assert "wrong!" in text_of(walk.get("placement"))


def test_placement_update_without_javascript_redraws_the_choices(walk: Walk) -> None:
    walk.to_placement()
    datacenter = walk.placement()["datacenter"]

    response = walk.post("placement", {"datacenter": datacenter, "nodes": "3"}, then="update")

    assert response.status_code == 200
    assert "cluster-3|3 hosts" in options_of(response, "compute_cluster")
    assert errors_of(response) == {}


def test_placement_fields_are_a_part(walk: Walk) -> None:
    walk.to_placement()

    part = text_of(walk.fields("placement", {}))

    assert part.strip().startswith('<div id="placement-fields"')


def test_placement_as_a_part_is_a_part(walk: Walk) -> None:
    walk.to_placement()

    part = text_of(walk.get("placement", headers=HTMX))

    assert part.strip().startswith("<form") and "<html" not in part
