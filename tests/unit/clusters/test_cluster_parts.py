"""Parts are drawn once for each content or shape: whatever they tell of is in the key or filled in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.template import Context, Template
from django.template.loader import render_to_string

from clusters.actions.queue import Place
from clusters.listing import ListedCluster
from clusters.models import Cluster, Machine
from clusters.templatetags.cluster_parts import cluster_row
from gateways.models import CloudAccount
from palette_portal.orchestration.models import Step
from palette_portal.orchestration.progress import ShownStep

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ID = UUID("0d0c1f1e-6a59-4a39-8f0b-3a5f5b1a2c3d")
ROW = ListedCluster(
    id=ID,
    name="shop",
    state="Running",
    health="Healthy",
    purpose="tenant",
    kubernetes_version="1.36.2",
    tags=("team:shop",),
    endpoint_host="10.0.0.9",
    created_at=NOW,
    gateway_id=ID,
    gateway_name="dc-east",
    project_name="payments",
    profile_name="starter",
    version="1.0.0",
    nodes=3,
    running_nodes=2,
)
KEY = "ssh-ed25519 AAAA amelia"
DONE: dict[str, Any] = {
    "title": "Clone virtual machine",
    "state": "Done",
    "attempt": 1,
    "message": "It is cloned.",
    "first_started_at": NOW,
    "finished_at": NOW + timedelta(seconds=9),
}


def row(listed: ListedCluster) -> str:
    return Template("{% load cluster_parts %}{% cluster_row listed %}").render(Context({"listed": listed}))


def console(machine: dict[str, Any], **context: Any) -> str:
    made = {"id": ID, "name": "shop-cp-1", "moid": "vm-7", "ip_address": "10.0.0.21", **machine}
    account = CloudAccount(vcenter_server=context.pop("vcenter_server", "vc.acme.test"))
    cluster = Cluster(id=ID, cloud_account=account, ssh_keys=context.pop("ssh_keys", [KEY]))
    shown = {"machine": Machine(**made), "cluster": cluster, **context}
    text = "{% load cluster_parts %}{% node_console machine cluster change_reason offers_changes %}"
    return Template(text).render(Context({"change_reason": "", "offers_changes": True, **shown}))


def drawn(step: Step, **context: object) -> str:
    context = {"shown": [ShownStep(step)], "cluster": Cluster(id=ID), **context}
    return Template("{% load cluster_parts %}{% steps shown %}").render(Context(context))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "<b>"}, ">&lt;b&gt;</a>"),
        ({"name": "{state}"}, ">{state}</a>"),
        ({"purpose": "gateway"}, ">Gateway</span>"),
        ({"state": "Deleting"}, "Deleting</span>"),
        (
            {"place": Place(2, "It works on three.", ID, "shop")},
            'title="It works on three.">2nd in the queue',
        ),
        ({"health": "Unhealthy"}, 'data-tone="bad"></span>Unhealthy'),
        ({"profile_name": "edge"}, "edge <span"),
        ({"version": "1.1.0"}, ">1.1.0</span>"),
        ({"kubernetes_version": "1.37.0"}, ">1.37.0</td>"),
        ({"running_nodes": 3}, ">3<span"),
        ({"nodes": 4}, ">/4</span>"),
        ({"gateway_name": "dc-west"}, ">dc-west</td>"),
        ({"project_name": None}, 'project-cell">\N{EN DASH}</td>'),
        ({"tags": ("a b&c", "d", "e")}, 'title="a b&amp;c" href="?tag=a%20b%26c">a b&amp;c</a>'),
        ({"tags": ("a", "d", "e")}, 'title="d, e">+2</span>'),
        ({"created_at": NOW + timedelta(days=1)}, 'title="2026-11-23 12:00:00 UTC"'),
    ],
)
def test_row_tells_what_has_changed(change: dict[str, Any], told: str) -> None:
    before = row(ROW)

    after = row(replace(ROW, **change))

    assert told not in before
    assert told in after
    assert row(ROW) == before


def test_row_leads_to_the_details() -> None:
    assert f'href="/clusters/{ID}/"' in row(ROW)


def test_row_of_the_page_is_not_swapped_out_of_band() -> None:
    patch = cluster_row(ROW, oob=True)

    assert "hx-swap-oob" in patch
    assert row(ROW) == patch.replace(' hx-swap-oob="true"', "")


@pytest.mark.parametrize(
    ("machine", "context", "told"),
    [
        ({"id": UUID(int=7)}, {}, f"/nodes/{UUID(int=7)}/replace/"),
        ({"name": "<b>"}, {}, "Console of &lt;b&gt;"),
        ({"moid": "vm-8"}, {}, "vmrc://vc.acme.test/?moid=vm-8"),
        ({"moid": ""}, {}, "is not made yet"),
        ({"ip_address": "10.0.0.22"}, {}, "ssh spectro@10.0.0.22"),
        ({}, {"vcenter_server": "vc2.acme.test"}, "vmrc://vc2.acme.test/?moid=vm-7"),
        ({}, {"change_reason": "You may not."}, "You may not."),
    ],
)
def test_console_of_a_node_tells_what_has_changed(
    machine: dict[str, Any], context: dict[str, Any], told: str
) -> None:
    before = console({})

    after = console(machine, **context)

    assert told not in before
    assert told in after
    assert console({}) == before


def test_console_leaves_out_what_is_not_known_or_not_offered() -> None:
    assert "ssh" not in console({"ip_address": None})
    assert "ssh" not in console({}, ssh_keys=[])
    assert "Replace node" not in console({}, offers_changes=False)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"title": "Power on"}, ">Power on<"),
        ({"attempt": 3}, "Attempt 3 succeeded."),
        ({"message": "<i>"}, "&lt;i&gt;"),
        ({"message": ""}, ">Done.<"),
        ({"hint": "Look at the host."}, "Look at the host."),
        ({"finished_at": NOW + timedelta(seconds=61)}, "1m 01s"),
    ],
)
def test_step_that_is_done_tells_what_has_changed(change: dict[str, Any], told: str) -> None:
    before = drawn(Step(id=ID, **DONE))

    after = drawn(Step(id=ID, **DONE | change))

    assert told not in before
    assert told in after


@pytest.mark.parametrize("change", [{}, {"attempt": 2}, {"message": ""}, {"hint": "Look."}])
def test_step_that_is_done_looks_like_one_that_is_streamed(change: dict[str, Any]) -> None:
    step = Step(id=ID, **DONE | change)

    streamed = render_to_string("clusters/_step.html", {"shown": ShownStep(step), "oob": True})

    assert drawn(step) == streamed.replace(' hx-swap-oob="true"', "")


def test_step_that_fails_says_to_each_person_what_that_one_may() -> None:
    facts = {"state": "Retrying", "failures": 1, "finished_at": None, "due_at": NOW}
    step = Step(id=ID, **DONE | facts)

    assert "You may not." in drawn(step, retry_denied="You may not.")
    assert f'hx-post="/clusters/{ID}/steps/{ID}/retry/"' in drawn(step, retry_denied="")
    assert "You may not." not in drawn(step, retry_denied="")
