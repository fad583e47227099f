"""A login that vCenter refuses: red once, tried three times in all, quiet until somebody acts."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from clusters.models import Cluster
from clusters.steps.work import Work, step
from gateways.logins import (
    LOGINS,
    TRY_AGAIN_AFTER,
    check_login,
    note_accepted,
    note_refusal,
    open_session,
)
from gateways.models import CloudAccount, LoginState
from palette_portal.orchestration.models import Event
from palette_portal.orchestration.outcomes import Done, Failed, Retry
from palette_portal.orchestration.steps import StepContext
from palette_portal.vsphere.errors import CertificateNotTrusted, LoginRefused, Unreachable
from palette_portal.vsphere.session import sessions
from tests.factories import make_cloud_account, make_cluster, make_gateway

pytestmark = pytest.mark.django_db


@step
def ensure_reached(work: Work) -> Done:
    return Done(str(work.vcenter.about.version))


@pytest.fixture
def cluster(lab):
    gateway = make_gateway()
    account = make_cloud_account(
        gateway,
        vcenter_server=lab.server,
        username=lab.username,
        password=lab.password,
        thumbprint_sha256=lab.thumbprint_sha256,
    )
    yield make_cluster(gateway, cloud_account=account)
    sessions.close_all()


def run(cluster: Cluster):
    """One attempt, as a worker that has just started would make it: with no session of its own."""
    sessions.close_all()
    context = StepContext(
        step_id=uuid4(),
        operation_id=uuid4(),
        operation_kind="provision",
        subject=cluster.subject,
        key="reached",
        arguments={},
        attempt=1,
        external_ref="",
    )
    return ensure_reached(context)


def let_a_minute_pass() -> None:
    """For the account, as if it were another minute."""
    for account in CloudAccount.objects.exclude(checked_at=None):
        earlier = account.checked_at - TRY_AGAIN_AFTER - timedelta(seconds=1)
        CloudAccount.objects.filter(pk=account.pk).update(checked_at=earlier)


def account_of(cluster: Cluster) -> CloudAccount:
    return CloudAccount.objects.get(clusters=cluster)


def test_refused_login_turns_the_account_red_once_whoever_notices(cluster, lab):
    lab.change_password("another one")

    outcomes = [run(cluster) for _ in range(3)]

    account = account_of(cluster)
    assert {outcome.reason for outcome in outcomes} == {"LoginRefused"}
    assert {outcome.retry for outcome in outcomes} == {Retry.SLOWLY}
    assert account.state == LoginState.LOGIN_REFUSED
    assert Event.objects.of(account.subject).count() == 1


def test_vcenter_is_asked_three_times_in_all(cluster, lab):
    lab.change_password("another one")
    lab.forget_calls()

    for _ in range(LOGINS + 3):
        outcome = run(cluster)
        run(cluster)
        let_a_minute_pass()

    assert lab.calls()["Login"] == LOGINS
    assert account_of(cluster).refused_logins == LOGINS
    assert isinstance(outcome, Failed) and "does not try it any more" in outcome.hint
    assert Event.objects.filter(reason="LoginRefused", subject_kind="cloud-account").count() == 1


def test_new_password_is_used_at_the_next_attempt(cluster, lab):
    lab.change_password("another one")
    run(cluster)
    account = account_of(cluster)
    account.password = "another one"
    account.refused_at, account.refused_logins, account.refusal = None, 0, ""
    account.save()

    assert isinstance(run(cluster), Done)


def keys_of(lab):
    """Of all sessions that are open, other tests' too."""
    return {session["key"] for session in lab.sessions()}


def test_session_of_the_older_login_ends_when_the_newer_one_is_used(cluster, lab):
    account = account_of(cluster)
    before = keys_of(lab)
    older = open_session(account)
    account.thumbprint_sha256 = account.thumbprint_sha256.replace(":", "")

    newer = open_session(account)

    assert (older.closed, newer.closed) == (True, False)
    assert len(keys_of(lab) - before) == 1


def test_login_that_is_accepted_again_turns_the_account_green(cluster, lab):
    right = lab.password
    lab.change_password("another one")
    run(cluster)
    lab.change_password(right)

    too_soon = run(cluster)
    let_a_minute_pass()
    later = run(cluster)

    assert isinstance(too_soon, Failed) and isinstance(later, Done)
    account = account_of(cluster)
    assert (account.state, account.refused_logins) == (LoginState.VERIFIED, 0)
    assert Event.objects.filter(reason="LoginAccepted").count() == 1


def test_changed_certificate_turns_the_account_red_and_is_looked_at_for_ever(cluster, lab):
    right = CloudAccount.objects.get().thumbprint_sha256
    CloudAccount.objects.update(thumbprint_sha256=":".join(["AA"] * 32))
    lab.forget_calls()

    for _ in range(LOGINS + 1):
        outcome = run(cluster)
        let_a_minute_pass()

    account = account_of(cluster)
    assert (outcome.reason, outcome.retry) == ("CertificateNotTrusted", Retry.SLOWLY)
    assert account.state == LoginState.CERTIFICATE_REFUSED
    assert Event.objects.of(account.subject).count() == 1
    assert lab.calls().get("Login", 0) == 0
    CloudAccount.objects.update(thumbprint_sha256=right)
    assert isinstance(run(cluster), Done)


def test_one_process_takes_the_turn_of_a_minute(cluster, lab):
    lab.change_password("another one")
    run(cluster)
    let_a_minute_pass()
    first, second = account_of(cluster), account_of(cluster)
    lab.forget_calls()

    for account in (first, second):
        with pytest.raises(LoginRefused):
            check_login(account)

    assert lab.calls()["Login"] == 1


def test_refusal_of_a_password_that_was_changed_meanwhile_does_not_count(cluster):
    tried = account_of(cluster)
    CloudAccount.objects.update(password="a newer one")

    note_refusal(tried, LoginRefused("No."))

    assert account_of(cluster).state == LoginState.UNCHECKED


def test_acceptance_of_a_password_that_was_changed_meanwhile_does_not_count(cluster):
    tried = account_of(cluster)
    CloudAccount.objects.update(
        password="a newer one", refused_at=timezone.now(), checked_at=timezone.now(), refusal="No."
    )

    note_accepted(tried)

    assert account_of(cluster).refused_at is not None


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Unreachable("Nobody answers."), LoginState.UNCHECKED),
        (LoginRefused("No.", remembered=True), LoginState.UNCHECKED),
        (LoginRefused("No."), LoginState.LOGIN_REFUSED),
        (CertificateNotTrusted("It changed."), LoginState.CERTIFICATE_REFUSED),
    ],
)
def test_what_an_error_says_about_the_login(cluster, error, state):
    note_refusal(account_of(cluster), error)

    assert account_of(cluster).state == state
