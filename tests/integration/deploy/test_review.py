"""The last page: what will be made, the live report, and deploying when something changed meanwhile."""

import json
from html import unescape
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.urls import reverse

from clusters.deploy.checks import check_deployment
from clusters.deploy.drafts import BASICS
from clusters.models import Cluster, DeployDraft
from gateways.models import PrerequisiteReport
from gateways.prerequisites.report import Report
from gateways.states import GatewayState
from ippools.models import IPPool
from tests.engine import run_due_steps
from tests.factories import make_cluster
from tests.integration.deploy.test_parameters import SECRET, with_variables
from tests.integration.deploy.walk import DeployWalk, text_of
from tests.lab.api import VSphere


def export(walk: DeployWalk) -> dict[str, Any]:
    response = walk.client.get(reverse("clusters:deploy-export", args=[walk.draft.pk]))
    assert response["Content-Disposition"] == 'attachment; filename="payments-prod.json"'
    document: dict[str, Any] = json.loads(response.content)
    return document


def repeat(
    tmp_path: Path, document: dict[str, Any], *options: str, by: str = "paolo@acme-industrial.test"
) -> str:
    file, out = tmp_path / "review.json", StringIO()
    file.write_text(json.dumps(document))
    # A worker does what is due while the command waits.
    with patch("clusters.management.commands.deploy_cluster.time.sleep", lambda seconds: run_due_steps()):
        call_command("deploy_cluster", "--file", str(file), "--as", by, *options, stdout=out)
    return out.getvalue()


def test_review_names_every_machine_and_the_address_it_will_get(walk: DeployWalk) -> None:
    walk.ip_pool.claims.create(
        address="10.10.183.21",
        cluster_id=walk.gateway.pk,
        owner_kind="machine",
        owner_id=walk.gateway.pk,
        owner_name="other",
        purpose="node",
    )
    walk.to_review(master={"size": "3"})

    planned = export(walk)["planned"]
    walk.confirm()

    assert [machine["name"] for machine in planned["machines"]] == [
        *(f"payments-prod-cp-{index}" for index in (1, 2, 3)),
        *(f"payments-prod-worker-pool-{index}" for index in (1, 2)),
    ]
    assert [machine["address"][-2:] for machine in planned["machines"]] == ["20", "22", "23", "24", "25"]
    assert planned["endpoint"] == "10.10.183.26"
    made = {machine.name: machine.placement.zone for machine in Cluster.objects.get().machines.all()}
    assert made == {machine["name"]: machine["zone"] for machine in planned["machines"]}


def test_report_says_what_is_in_order_and_how_long_it_takes(walk: DeployWalk) -> None:
    walk.to_review()

    report = text_of(walk.report())

    assert "0 failed" in report and "Checked" in report
    assert "is in spectro-templates" in report and "About 11 minutes" in report
    assert 'id="deploy-button" type="submit"' in report
    assert "472 GB" in report, "memory left, in the table"


def test_report_of_a_missing_image_forbids_deploying(walk: DeployWalk) -> None:
    walk.to_parameters()
    walk.accept("parameters", {"values_ubuntu": "image:\n  template: not-there\n"})
    walk.accept("placement", walk.placement())
    walk.accept("pools", walk.pools())

    report, response = text_of(walk.report()), walk.confirm()

    assert "1 failed" in report and "Put right what failed first" in report
    assert response.status_code == 422 and "no such template" in text_of(response)
    assert not Cluster.objects.exists()


def test_report_of_an_image_that_will_be_imported_allows_deploying(walk: DeployWalk) -> None:
    walk.to_parameters()
    values = "image:\n  template: not-there\n  url: https://images.acme.test/not-there.ova\n"
    walk.accept("parameters", {"values_ubuntu": values})
    walk.accept("placement", walk.placement())
    walk.accept("pools", walk.pools())

    report = text_of(walk.report())

    assert "The node image not-there is imported into spectro-templates first." in report
    assert "About 17 minutes" in report and 'type="submit"' in report


def test_report_when_vcenter_is_gone_offers_to_check_again(walk: DeployWalk) -> None:
    walk.to_review()
    cache.clear()
    walk.lab.unreachable(600)

    report, response = text_of(walk.report()), walk.confirm()

    assert "1 failed" in report and "Check again" in report
    (line,) = Report.from_json(PrerequisiteReport.objects.get().content).failed
    assert line.key == "login" and line.sentence in unescape(report)
    assert response.status_code == 422 and not Cluster.objects.exists()


def test_deploy_with_a_choice_that_is_gone_says_where_to_change_it(walk: DeployWalk) -> None:
    walk.to_review()
    draft = walk.draft
    draft.pages["pools"]["values"]["workers"][0]["zones"][0]["datastore"] = "datastore-999"
    DeployDraft.objects.filter(pk=draft.pk).update(pages=draft.pages)
    walk.report()
    PrerequisiteReport.objects.update(level="passed", content={})  # it was there when it was made

    response = walk.deploy()

    assert response.status_code == 422
    assert "Datastore “shared-nfs-1” is no longer available in vCenter." in text_of(response)
    assert walk.url("pools") in text_of(response)
    assert not Cluster.objects.exists()


def test_deploy_with_a_name_taken_meanwhile_is_refused(walk: DeployWalk) -> None:
    walk.to_review()
    walk.report()
    make_cluster(walk.gateway, project=walk.project, name="payments-prod", cloud_account=walk.account)

    response = walk.confirm()

    assert response.status_code == 422
    assert "has a cluster payments-prod already" in text_of(response)
    assert walk.url(BASICS) in text_of(response)


def test_deploy_with_addresses_taken_meanwhile_is_refused(walk: DeployWalk) -> None:
    walk.to_review()
    IPPool.objects.filter(pk=walk.ip_pool.pk).update(end="10.10.183.23")

    report, response = text_of(walk.report()), walk.confirm()

    assert "4 addresses free, and 6 are needed" in report
    assert response.status_code == 422 and walk.url("pools") in text_of(response)
    assert not Cluster.objects.exists()


def test_deploy_with_a_machine_name_taken_meanwhile_is_refused(walk: DeployWalk, vcenter: VSphere) -> None:
    walk.to_review()
    walk.report()
    vcenter.create_machine("payments-prod-cp-1", folder="palette-clusters")

    response = walk.deploy()

    assert response.status_code == 422 and "payments-prod-cp-1" in text_of(response)
    assert not Cluster.objects.exists()


def test_deploy_through_a_gateway_that_stopped_is_refused(walk: DeployWalk) -> None:
    walk.to_review()
    walk.gateway.__class__.objects.filter(pk=walk.gateway.pk).update(state=GatewayState.ERROR)

    page, response = text_of(walk.get("review")), walk.confirm()

    assert "This cannot be deployed" in page and "cannot be used now" in page
    assert response.status_code == 422 and not Cluster.objects.exists()


def test_deploy_of_a_draft_that_changed_meanwhile_is_refused(
    walk: DeployWalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk.to_review()

    def change_it(*arguments: Any) -> Any:
        found = check_deployment(*arguments)
        draft = walk.draft
        draft.pages["basics"]["values"]["description"] = "changed in another tab"
        draft.save()
        return found

    monkeypatch.setattr("clusters.deploy.deploying.check_deployment", change_it)

    response = walk.confirm()

    assert response.status_code == 409 and "another tab" in text_of(response)
    assert not Cluster.objects.exists()


def test_export_holds_no_secret_and_no_ids(walk: DeployWalk) -> None:
    with_variables(walk)
    walk.to_review()

    document = export(walk)
    text = json.dumps(document)

    assert document["parameters"]["secret_variables"] == ["token"]
    assert document["parameters"]["variables"] == {"registry": "registry.acme.test"}
    for hidden in (SECRET, walk.account.password, "datastore-", "domain-c", str(walk.ip_pool.pk)):
        assert hidden not in text


def test_command_repeats_the_review(
    walk: DeployWalk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_variables(walk)
    walk.to_review(
        w1={"labels": "tier=web", "taints": "a=b:NoSchedule"},
        w2={"name": "gpu", "autoscales": "on", "minimum_size": "1", "maximum_size": "2"},
    )
    monkeypatch.setenv("DEPLOY_VAR_token", SECRET)

    said = repeat(tmp_path, export(walk), "--name", "payments-copy")

    cluster = Cluster.objects.get()
    assert said == f"payments-copy is being deployed: {cluster.pk}\n"
    assert (cluster.name, cluster.created_by, cluster.project) == ("payments-copy", walk.user, walk.project)
    pools = {pool.name: pool for pool in cluster.machine_pools.all()}
    assert pools["worker-pool"].labels == {"tier": "web"}
    assert pools["gpu"].maximum_size == 2
    assert json.loads(cluster.secrets.variables)["token"] == SECRET
    assert [place.network_name for place in pools["gpu"].placements.all()] == ["k8s-nodes", "k8s-nodes"]


def test_command_that_only_checks_leaves_nothing(walk: DeployWalk, tmp_path: Path) -> None:
    walk.to_review()

    said = repeat(tmp_path, export(walk), "--check", "--name", "payments-copy")

    assert "passed" in said and "failed" not in said
    assert not Cluster.objects.exists() and DeployDraft.objects.count() == 1


def test_command_waits_for_a_worker_and_says_when_none_comes(
    walk: DeployWalk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk.to_review()
    monkeypatch.setattr("tests.integration.deploy.test_review.run_due_steps", lambda: None)

    with pytest.raises(CommandError, match="Does a worker run"):
        repeat(tmp_path, export(walk), "--name", "payments-copy", "--wait", "0")
    assert not Cluster.objects.exists() and DeployDraft.objects.count() == 1


@pytest.mark.parametrize("options", [(), ("--check",)])
def test_command_refuses_failures_and_leaves_nothing(
    walk: DeployWalk, tmp_path: Path, options: tuple[str, ...]
) -> None:
    walk.to_review()
    walk.lab.withhold("VirtualMachine.Config.CPUCount", on=walk.draft.pages["placement"]["values"]["folder"])

    with pytest.raises(CommandError, match=r"It cannot be deployed|VirtualMachine\.Config\.CPUCount"):
        repeat(tmp_path, export(walk), "--name", "payments-copy", *options)
    assert not Cluster.objects.exists() and DeployDraft.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "shopping-list"}, "is not a review"),
        ({"version": 99}, "of version 99"),
        ({"project": "elsewhere"}, "no project elsewhere"),
        ({"basics": {"name": "Bad Name"}}, "basics: Name: Use lower-case letters"),
        ({"profile": {"profile": "x", "version_name": "1"}}, "no profile x 1"),
    ],
)
def test_command_refuses_what_the_pages_would(
    walk: DeployWalk, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    walk.to_review()

    with pytest.raises(CommandError, match=said):
        repeat(tmp_path, {**export(walk), **changes})
    assert DeployDraft.objects.count() == 1


def test_command_names_what_is_not_in_vcenter(walk: DeployWalk, tmp_path: Path) -> None:
    walk.to_review()
    document = export(walk)
    document["pools"]["master"]["zones"][0]["datastore"] = "gone-1"

    with pytest.raises(CommandError, match="gone-1"):
        repeat(tmp_path, document)


def test_command_without_the_secret_says_where_to_put_it(walk: DeployWalk, tmp_path: Path) -> None:
    with_variables(walk)
    walk.to_review()

    with pytest.raises(CommandError, match="DEPLOY_VAR_token"):
        repeat(tmp_path, export(walk))


def test_command_for_people_without_the_right_is_refused(walk: DeployWalk, tmp_path: Path) -> None:
    walk.to_review()
    document = export(walk)
    walk.user.memberships.update(role="project-viewer")

    with pytest.raises(CommandError, match="You need the role"):
        repeat(tmp_path, document, "--name", "payments-copy")
    with pytest.raises(CommandError, match="Nobody who is active"):
        repeat(tmp_path, document, by="nobody@acme-industrial.test")
    assert not Cluster.objects.exists()


def test_names_count_in_the_folder_of_the_clusters_own(walk: DeployWalk, vcenter: VSphere) -> None:
    vcenter.create_machine("payments-prod-cp-1", folder="palette-clusters")
    walk.to_pools(own_folder="on")
    walk.accept("pools", walk.pools())

    report = text_of(walk.report())

    assert 'type="submit"' in report and "palette-clusters/payments-prod" in report


def test_pod_network_that_overlaps_the_nodes_is_refused(walk: DeployWalk) -> None:
    walk.to_parameters()
    walk.accept("parameters", {"values_kubernetes": "networking:\n  podCidr: 10.10.0.0/16\n"})
    walk.accept("placement", walk.placement())
    walk.accept("pools", walk.pools())

    report, response = text_of(walk.report()), walk.confirm()

    assert "The pod network 10.10.0.0/16 of the profile overlaps 10.10.183.0/24" in report
    assert response.status_code == 422 and not Cluster.objects.exists()
