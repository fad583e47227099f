"""No password, token, key or user-data in a log line, an event or a step's words, whatever fails."""

import logging

import pytest

from clusters.models import ClusterSecrets
from clusters.tokens import report_token
from palette_portal.orchestration.models import Event
from tests.integration.provisioning.stage import Stage


def secrets_of(stage: Stage) -> list[str]:
    secrets = ClusterSecrets.objects.get(cluster=stage.cluster)
    return [
        stage.account.password,
        secrets.bootstrap_token,
        report_token(stage.machine()).reveal(),
        *(line for line in secrets.pki.split("\\n") if len(line) == 64),
        "BEGIN EC PRIVATE KEY",
        "I2Nsb3VkLWNvbmZpZw",  # base64 of #cloud-config
    ]


def test_secrets_stay_out_of_logs_events_and_steps(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    stage.lab.fail("ReconfigVM_Task", "InvalidArgument", times=1)
    stage.lab.fail("PowerOnVM_Task", "SystemError", times=1)
    stage.lab.lose_reply("CloneVM_Task")
    stage.start()

    stage.finish()

    told = [*caplog.messages, *(record.exc_text or "" for record in caplog.records)]
    told += [f"{event.reason} {event.message}" for event in Event.objects.all()]
    told += [f"{step.message} {step.hint} {step.arguments}" for step in stage.operation.steps.all()]
    for secret in secrets_of(stage):
        assert not [line for line in told if secret in line]


def test_unexpected_error_of_a_step_is_logged_without_secrets(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a bug while the documents are at hand: a traceback shows code, not values."""
    from clusters.steps import machines

    def broken(*_: object, **__: object) -> bool:
        raise RuntimeError("a bug")

    stage.start()
    with monkeypatch.context() as patched:
        patched.setattr(machines, "start_reconfigure", broken)
        stage.go_on_until(lambda: stage.machine_step("configured").reason == "InternalError")

    assert "RuntimeError: a bug" in caplog.text
    for secret in secrets_of(stage):
        assert secret not in caplog.text
    stage.finish()
