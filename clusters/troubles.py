"""What is wrong with a machine that should run, as a sentence that says what to do."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from clusters.models import Machine
from clusters.states import MachineState

POWERED_ON = "poweredOn"


def longest_silence() -> timedelta:
    return timedelta(minutes=settings.GATEWAY_SILENCE_MINUTES)


def trouble_of(machine: Machine, *, watching_since: datetime) -> str:
    """Empty when nothing is wrong. While the portal was down nobody could report: that is no silence.

    The sentence stays the same as long as the trouble does.
    """
    if machine.missing_since is not None:
        return (
            f"{machine.name} is not in vCenter any more: somebody removed it there "
            f"({machine.missing_since:%Y-%m-%d %H:%M} UTC). Replace it."
        )
    if machine.power_state not in ("", POWERED_ON):
        return f"{machine.name} is powered off in vCenter. Power it on there, or replace it."
    if is_silent(max(watching_since, last_heard(machine))):
        return (
            f"{machine.name}: no report for {settings.GATEWAY_SILENCE_MINUTES} minutes "
            f"(last at {last_heard(machine):%Y-%m-%d %H:%M} UTC). Check in vCenter that it runs, and that it "
            f"reaches {settings.PUBLIC_URL}."
        )
    return ""


def has_recovered(machines: Iterable[Machine]) -> bool:
    """Fresh reports of all, whenever the portal was started."""
    return all(
        not trouble_of(machine, watching_since=last_heard(machine)) and not is_silent(last_heard(machine))
        for machine in machines
    )


def last_heard(machine: Machine) -> datetime:
    return machine.last_report_at or machine.running_at or machine.created_at


def is_silent(heard_at: datetime) -> bool:
    return timezone.now() - heard_at > longest_silence()


def should_run(machine: Machine) -> bool:
    return machine.state == MachineState.RUNNING
