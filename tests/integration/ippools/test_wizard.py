"""The Configure wizard obeys the pools: what a second cluster may not use is refused, with the reason."""

from uuid import uuid4

import pytest
from django.http import QueryDict

from gateways.drafts import VCENTER, get_draft
from gateways.forms.addresses import AddressesForm
from tests.factories import make_gateway, make_pool
from tests.integration.ippools.asking import claim

pytestmark = pytest.mark.django_db


def answer(pool):
    draft = get_draft(pool.gateway)
    draft.pages[VCENTER] = {"server": "vcenter.acme.test"}
    data = QueryDict(f"scheme=static&pool={pool.pk}")
    return AddressesForm.open(draft, data)


def test_wizard_refuses_a_pool_that_is_reserved_for_another_cluster():
    pool = make_pool(make_gateway(), name="node-network", restrict_to_single_cluster=True)
    claim(pool, cluster_id=uuid4())

    assert answer(pool).errors["pool"] == [
        "The IP pool node-network is restricted to one cluster, and another cluster uses it."
    ]


def test_wizard_takes_a_restricted_pool_that_nobody_uses():
    assert "pool" not in answer(make_pool(restrict_to_single_cluster=True)).errors
