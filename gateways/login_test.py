"""Whether vCenter takes an account's login right now, asked with a new session and within a time limit."""

from gateways.logins import GIVEN_UP, LOGINS, note_accepted, note_refusal
from gateways.models import CloudAccount
from gateways.time_limit import within
from palette_portal.vsphere.errors import CertificateNotTrusted, LoginRefused, VSphereError
from palette_portal.vsphere.session import connect
from palette_portal.vsphere.trust import Timeouts

LIMIT_SECONDS = 12.0
TIMEOUTS = Timeouts(connect_seconds=5, read_seconds=8)


def why_silent(account: CloudAccount) -> str:
    """Empty when the login works, why not when vCenter does not answer.

    Raise LoginRefused or CertificateNotTrusted, and Conflict when too many ask vCenter at once. A login that
    was refused too often is not tried: vCenter would lock the user.
    """
    if account.refused_logins >= LOGINS:
        raise LoginRefused(account.refusal, GIVEN_UP, remembered=True)
    try:
        answered = within(LIMIT_SECONDS, lambda: _log_in(account))
    except (LoginRefused, CertificateNotTrusted) as error:
        note_refusal(account, error)
        raise
    except VSphereError as error:
        return error.sentence
    if answered is None:
        return f"{account.vcenter_server} did not answer within {LIMIT_SECONDS:.0f} seconds."
    note_accepted(account)
    return ""


def _log_in(account: CloudAccount) -> bool:
    with connect(account.credentials(), TIMEOUTS):
        return True
