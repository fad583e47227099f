"""Whether vCenter accepts an account's login, kept in the account's row so that every process knows.

A refused login turns the account red once. It is tried again once a minute by one process, and after three
refusals not at all until somebody acts: vCenter locks users after some wrong passwords.
"""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from gateways.models import CloudAccount
from palette_portal.orchestration.events import record_event
from palette_portal.orchestration.models import Severity
from palette_portal.vsphere.errors import CertificateNotTrusted, LoginRefused, VSphereError
from palette_portal.vsphere.session import Credentials, VCenter, connect, sessions

LOGINS = 3
TRY_AGAIN_AFTER = timedelta(seconds=60)

# By account, what this process used last: the session of an older login ends when a newer one is open.
_last_used: dict[UUID, Credentials] = {}

GIVEN_UP = (
    f"It was refused {LOGINS} times, so the portal does not try it any more: vCenter would lock the user. "
    "Correct the login on the page of the cloud account, or test it there."
)


def open_session(account: CloudAccount) -> VCenter:
    """The process's session. Raise what vCenter said last while it is not to be asked again."""
    check_login(account)
    credentials = account.credentials()
    vcenter = sessions.get(credentials, ask_again=True)
    before = _last_used.get(account.pk, credentials)
    _last_used[account.pk] = credentials
    if before != credentials:
        sessions.close(before)
    return vcenter


def check_login(account: CloudAccount) -> None:
    """Call before logging in. A refused login is tried here first, when it is its time."""
    if account.refused_at is None:
        return
    if account.refused_logins >= LOGINS:
        raise LoginRefused(account.refusal, GIVEN_UP, remembered=True)
    if not _take_turn(account):
        raise _last_refusal(account)
    with connect(account.credentials()):
        note_accepted(account)


def note_refusal(account: CloudAccount, error: VSphereError) -> None:
    """Other errors say nothing about the login, and one that is only remembered was counted before."""
    match error:
        case LoginRefused(remembered=False):
            _refuse(account, error, logins=1)
        case CertificateNotTrusted():
            _refuse(account, error, logins=0)


@transaction.atomic
def note_accepted(account: CloudAccount) -> None:
    """vCenter has just accepted this login."""
    row = _locked(account)
    if row is None:
        return
    CloudAccount.objects.filter(pk=row.pk).update(**accepted())
    if row.refused_at is not None:
        tell_accepted(row)


def tell_accepted(account: CloudAccount) -> None:
    """Once, when a login that was refused works again: by itself, by a test, or because it was corrected."""
    record_event(
        subject=account.subject,
        severity=Severity.INFO,
        reason="LoginAccepted",
        message=f"{account.vcenter_server} accepts the login of cloud account {account} again.",
    )


def accepted() -> dict[str, object]:
    """The columns of an account whose login was accepted now."""
    return {"checked_at": timezone.now(), "refused_at": None, "refused_logins": 0, "refusal": ""}


def _take_turn(account: CloudAccount) -> bool:
    """Among all processes, one tries."""
    now = timezone.now()
    same = CloudAccount.objects.filter(pk=account.pk, checked_at=account.checked_at)
    return same.filter(checked_at__lte=now - TRY_AGAIN_AFTER).update(checked_at=now) == 1


def _last_refusal(account: CloudAccount) -> VSphereError:
    if account.refused_logins:
        return LoginRefused(account.refusal, remembered=True)
    return CertificateNotTrusted(account.refusal)


@transaction.atomic
def _refuse(account: CloudAccount, error: VSphereError, *, logins: int) -> None:
    row = _locked(account)
    if row is None or (row.refused_at and not logins):
        return
    now = timezone.now()
    CloudAccount.objects.filter(pk=row.pk).update(
        checked_at=now,
        refused_at=row.refused_at or now,
        refused_logins=row.refused_logins + logins,
        refusal=error.sentence,
    )
    if row.refused_at is None:
        record_event(
            subject=row.subject,
            severity=Severity.ERROR,
            reason=error.reason,
            message=f"Cloud account {row}: {error.sentence} {error.hint}".strip(),
        )


def _locked(account: CloudAccount) -> CloudAccount | None:
    """None when the account has another login by now: what was tried is no longer what it is."""
    row = CloudAccount.objects.select_for_update().filter(pk=account.pk).first()
    return row if row is not None and row.credentials() == account.credentials() else None
