"""A password is changed in vCenter in the middle of a provisioning, then in the portal."""

from clusters.states import ClusterState
from gateways.logins import LOGINS
from gateways.models import CloudAccount, LoginState
from palette_portal.orchestration.models import Event, OperationState, StepState
from palette_portal.vsphere.session import sessions
from tests.factories import amelia
from tests.integration.gateways.account_pages import path, same
from tests.integration.provisioning.conftest import stage, vcenter  # noqa: F401
from tests.integration.provisioning.stage import Stage


def test_provisioning_goes_on_with_the_new_password(client, stage: Stage):  # noqa: F811
    client.force_login(amelia())
    stage.start()
    stage.go_on_until(lambda: stage.machine_step("cloned").state == StepState.DONE)
    stage.lab.change_password("rotated")
    sessions.close_all()
    stage.lab.forget_calls()
    stage.go_on_until(lambda: stage.operation.steps.filter(reason="LoginRefused", attempt__gt=3).exists())
    account = CloudAccount.objects.get()
    assert account.state == LoginState.LOGIN_REFUSED
    assert stage.lab.calls()["Login"] <= LOGINS

    response = client.post(path("edit", account), same(account, password="rotated"))
    stage.finish()

    assert response.status_code == 302
    assert stage.operation.state == OperationState.SUCCEEDED
    assert stage.cluster.state == ClusterState.RUNNING
    stage.assert_nothing_doubled_or_leaked()
    assert CloudAccount.objects.get().state == LoginState.VERIFIED
    assert Event.objects.of(account.subject).filter(reason="LoginRefused").count() == 1
