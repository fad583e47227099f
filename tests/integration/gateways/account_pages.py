"""What the tests of cloud accounts share: an account on the lab's vCenter, and what a person types."""

from django.urls import reverse
from django.utils import timezone

from tests.factories import make_cloud_account


def make_account(gateway, lab, **changes):
    values = {
        "name": "east",
        "vcenter_server": lab.server,
        "username": lab.username,
        "password": lab.password,
        "thumbprint_sha256": lab.thumbprint_sha256,
        "checked_at": timezone.now(),
    }
    return make_cloud_account(gateway, **{**values, **changes})


def path(name, account=None):
    return reverse(f"accounts:{name}", args=[account.pk] if account else [])


def typed(gateway, lab, **changes):
    return {
        "scope": "tenant",
        "name": "east",
        "gateway": str(gateway.pk),
        "server": lab.server,
        "username": lab.username,
        "password": lab.password,
        "trusted_thumbprint": lab.thumbprint_sha256,
        "availability": "all",
        **changes,
    }


def same(account, **changes):
    """The edit form as the page shows it, with these changes."""
    return {
        "name": account.name,
        "gateway": str(account.gateway_id),
        "server": account.vcenter_server,
        "username": account.username,
        "password": "",
        "ca_pem": account.ca_pem,
        "availability": account.availability,
        **changes,
    }
