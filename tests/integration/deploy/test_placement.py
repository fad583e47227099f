"""The fourth page: accounts that can be used now, choices that exist, addresses that are free."""

import re

import pytest
from django.core.cache import cache

from clusters.deploy.drafts import PLACEMENT, POOLS, is_complete, open_reason, page_values
from gateways.models import Availability, CloudAccount
from gateways.states import GatewayState
from tests.factories import make_cloud_account, make_cluster, make_gateway
from tests.integration.deploy.walk import HTMX, DeployWalk, errors_of, options_of, text_of
from tests.lab.api import VSphere

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGU1/jgUiI+mNL7nWsfo6Ba/GUBjVYOHLcjfMlU1SQ2J paolo@acme"
PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----"
DHCP = {"allocation": "dhcp", "endpoint_host": "10.10.183.60", "search_domain": "k8s.acme.test"}


def fields(walk: DeployWalk, **data: str) -> str:
    return text_of(walk.client.get(f"/clusters/deploy/{walk.draft.pk}/placement/fields/", data, headers=HTMX))


def test_accounts_that_can_be_used_now_are_offered(walk: DeployWalk) -> None:
    busy = make_gateway(name="dc-east", state=GatewayState.PROVISIONING)
    make_cloud_account(busy, name="east")
    make_cloud_account(walk.gateway, name="kept-back", availability=Availability.NONE)
    make_cloud_account(walk.gateway, name="west-2", vcenter_server="vcenter-2.acme.test")
    walk.to_placement()

    page = walk.get("placement")

    offered = options_of(page, "cloud_account")
    assert [option.split("|")[0] for option in offered] == ["Select…", "dc-west", "west-2"]
    assert "vcenter-2.acme.test through dc-west" in offered[2]
    assert "Not offered: east (its gateway is Provisioning)." in text_of(page)
    assert "kept-back" not in text_of(page)


def test_account_that_may_not_be_used_is_refused(walk: DeployWalk) -> None:
    hidden = make_cloud_account(walk.gateway, name="hidden", availability=Availability.NONE)
    walk.to_placement()

    response = walk.post("placement", walk.placement(cloud_account=str(hidden.pk)))

    assert "cannot be used now" in errors_of(response)["cloud_account"]


def test_page_without_choices_shows_that_they_are_being_read(walk: DeployWalk) -> None:
    walk.to_placement()

    waiting, read = text_of(walk.get("placement")), walk.get("placement", {"wait": "1"})

    assert "Reading the inventory of" in waiting and 'hx-trigger="load"' in waiting
    assert options_of(read, "datacenter")[1].startswith("dc-1|")


def test_only_datacenter_is_chosen_already(walk: DeployWalk) -> None:
    walk.to_placement()

    part = fields(walk)

    assert re.search(r"selected[^>]*><span>dc-1</span>", part)
    assert "palette-clusters" in part


def test_folders_wait_for_the_datacenter(walk: DeployWalk) -> None:
    walk.to_placement()

    part = fields(walk, cloud_account=str(walk.account.pk), datacenter="", folder="")

    assert "Select a datacenter first" in part


def test_folder_of_nowhere_is_refused(walk: DeployWalk) -> None:
    walk.to_placement()

    response = walk.post("placement", walk.placement(folder="group-v9999"))

    assert "does not exist there" in errors_of(response)["folder"]
    assert not is_complete(walk.draft, PLACEMENT)


def test_folder_that_holds_a_machine_of_that_name_is_refused(walk: DeployWalk, vcenter: VSphere) -> None:
    walk.to_placement()
    placement = walk.placement()
    vcenter.create_machine("payments-prod-cp-2", folder="palette-clusters")

    response = walk.post("placement", placement)

    assert "It holds payments-prod-cp-2 already" in errors_of(response)["folder"]
    walk.accept("placement", {**placement, "own_folder": "on"})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ntp_servers", "not_a_host!", "neither a host name nor an IP address"),
        ("ssh_keys", "ssh-ed25519 AAAA", "was a part lost when it was copied?"),
        ("ssh_keys", PRIVATE, "This is a PRIVATE key"),
        ("image_folder", "elsewhere", "does not exist there"),
        ("allocation", "bootp", "valid choice"),
    ],
)
def test_wrong_value_is_refused_at_its_field(walk: DeployWalk, name: str, value: str, said: str) -> None:
    walk.to_placement()

    response = walk.post("placement", walk.placement(**{name: value}))

    assert response.status_code == 422
    assert said in text_of(response)
    assert "b3BlbnNzaC1rZXk" not in text_of(response)


@pytest.mark.parametrize(
    ("changes", "name", "said"),
    [
        ({"endpoint_host": ""}, "endpoint_host", "Fill in"),
        ({"endpoint_host": "not_a_name!"}, "endpoint_host", "neither an IP address nor a DNS name"),
        ({"endpoint_host": "10.10.183.25"}, "endpoint_host", "is in the IP pool rack-7"),
        ({"endpoint_host": "10.10.183.99"}, "endpoint_host", "Another cluster answers at 10.10.183.99"),
        ({"search_domain": "k8s!"}, "search_domain", "is not a domain name"),
    ],
)
def test_dhcp_needs_an_endpoint_that_is_free(
    walk: DeployWalk, changes: dict[str, str], name: str, said: str
) -> None:
    make_cluster(walk.gateway, cloud_account=walk.account, endpoint_host="10.10.183.99")
    walk.to_placement()

    response = walk.post("placement", walk.placement(**{**DHCP, **changes}))

    assert said in errors_of(response)[name]


def test_dhcp_asks_no_pool_for_addresses(walk: DeployWalk) -> None:
    walk.to_pools(**DHCP)

    page = text_of(walk.get("pools"))

    assert "ip_pool" not in page and "deploy-need" not in page
    walk.accept("pools", walk.pools())
    assert "10.10.183.60:6443" in text_of(walk.get("review"))


def test_single_field_is_checked_without_asking_vcenter(walk: DeployWalk) -> None:
    walk.to_placement()
    sent = walk.placement(ntp_servers="!")
    walk.lab.unreachable(600)

    response = walk.check("placement", "ntp_servers", sent)

    assert 'class="field invalid" id="id_ntp_servers_field"' in text_of(response)


def test_vcenter_that_is_gone_keeps_what_was_typed(walk: DeployWalk) -> None:
    walk.to_placement()
    sent = walk.placement(ssh_keys=KEY)
    cache.clear()
    walk.lab.unreachable(600)

    response = walk.post("placement", sent)

    assert response.status_code == 422
    assert "The inventory cannot be read" in text_of(response)
    assert page_values(walk.draft, PLACEMENT)["ssh_keys"] == KEY
    walk.lab.reachable()
    walk.accept("placement", sent)


def test_refused_login_is_not_tried_again(walk: DeployWalk) -> None:
    walk.to_placement()
    CloudAccount.objects.filter(pk=walk.account.pk).update(password="wrong")

    first, second = fields(walk), fields(walk)

    assert "The inventory cannot be read" in first and "The inventory cannot be read" in second
    assert CloudAccount.objects.get(pk=walk.account.pk).refused_logins == 1


@pytest.mark.parametrize("change", ["allocation", "cloud_account"])
def test_change_that_moves_the_pools_reopens_them(walk: DeployWalk, change: str) -> None:
    twin = make_cloud_account(
        walk.gateway,
        name="twin",
        vcenter_server=walk.lab.server,
        username=walk.lab.username,
        password=walk.lab.password,
        thumbprint_sha256=walk.lab.thumbprint_sha256,
    )
    walk.to_review()
    changes = DHCP if change == "allocation" else {"cloud_account": str(twin.pk)}

    walk.accept("placement", walk.placement(**changes))

    assert "changed: look over" in open_reason(walk.draft, POOLS)
    assert walk.get("review").url == walk.url("pools")


def test_image_folder_that_is_not_there_has_to_be_chosen(
    walk: DeployWalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusters.deploy.forms.placement.IMAGE_FOLDER", "our-templates")
    walk.to_placement()

    offered = options_of(walk.get("placement", {"wait": "1"}), "image_folder")
    response = walk.post("placement", walk.placement(image_folder=""))

    assert "spectro-templates" in offered and "our-templates" not in offered
    assert "our-templates can be made in vCenter" in errors_of(response)["image_folder"]
