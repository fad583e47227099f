import uuid
from datetime import datetime, timedelta
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from palette_portal.orchestration.states import (
    ACTIVE_OPERATION,
    DUE_STEP,
    ENDED_STEP,
    OperationKind,
    OperationState,
    Severity,
    StepState,
)
from palette_portal.orchestration.steps import Subject
from palette_portal.tenants.models import Project, Tenant, User

__all__ = [
    "Event",
    "EventCounter",
    "Operation",
    "OperationKind",
    "OperationState",
    "Ring",
    "Severity",
    "Step",
    "StepState",
]


class OperationQuerySet(models.QuerySet["Operation"]):
    def of(self, subject: Subject) -> Self:
        return self.filter(subject_kind=subject.kind, subject_id=subject.id)

    def active(self) -> Self:
        return self.filter(state__in=ACTIVE_OPERATION)


class Operation(models.Model):
    """One wish of one person, made true by steps. At most one is active for a subject."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=20, choices=OperationKind.choices)
    subject_kind = models.CharField(max_length=30)
    subject_id = models.UUIDField()
    subject_name = models.CharField(max_length=200)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="operations")
    project = models.ForeignKey(
        Project, on_delete=models.PROTECT, null=True, blank=True, related_name="operations"
    )
    requested_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="operations"
    )
    state = models.CharField(max_length=12, choices=OperationState.choices, default=OperationState.RUNNING)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it is queued, or who cancelled it.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = OperationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["subject_kind", "subject_id"],
                condition=Q(state__in=ACTIVE_OPERATION),
                name="operation_one_active_per_subject",
            ),
            models.CheckConstraint(
                condition=Q(state__in=ACTIVE_OPERATION) ^ Q(finished_at__isnull=False),
                name="operation_finished_at_when_ended",
            ),
        ]
        indexes = [
            models.Index(fields=["subject_kind", "subject_id", "-created_at"], name="operation_by_subject"),
            models.Index(fields=["created_at"], condition=Q(state="Queued"), name="operation_queued"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.subject_name}"

    @property
    def subject(self) -> Subject:
        return Subject(self.subject_kind, self.subject_id, self.subject_name, self.tenant_id, self.project_id)

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE_OPERATION

    @property
    def duration(self) -> timedelta | None:
        """Until now while it runs."""
        return _between(self.started_at, self.finished_at)


class StepQuerySet(models.QuerySet["Step"]):
    def of(self, subject: Subject) -> Self:
        return self.filter(operation__subject_kind=subject.kind, operation__subject_id=subject.id)

    def open(self) -> Self:
        return self.exclude(state__in=ENDED_STEP)

    def held(self) -> Self:
        """A worker is doing them at this moment."""
        return self.filter(state=StepState.RUNNING, lease_until__gt=Now())

    def due(self) -> Self:
        """They should begin: their time has come, or their worker is gone."""
        ready = Q(state__in=DUE_STEP, due_at__lte=Now())
        abandoned = Q(state=StepState.RUNNING, lease_until__lte=Now())
        return self.filter(ready | abandoned, operation__state=OperationState.RUNNING)


class Step(models.Model):
    """One truth to make. `token` fences: a result counts only with the token of the last claim."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="steps")
    key = models.CharField(max_length=120)
    title = models.CharField(max_length=200)
    group = models.CharField(max_length=120, blank=True, help_text="A machine's name; empty for the cluster.")
    position = models.PositiveIntegerField()
    function = models.CharField(max_length=200)
    arguments = models.JSONField(default=dict)
    depends_on = ArrayField(models.CharField(max_length=120), default=list)
    head_start_seconds = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="Counts as due so much earlier when workers are short."
    )

    state = models.CharField(max_length=12, choices=StepState.choices, default=StepState.PENDING)
    attempt = models.PositiveIntegerField(default=0, help_text="The attempt that runs or ran last.")
    due_at = models.DateTimeField(null=True, blank=True)
    rung_at = models.DateTimeField(null=True, blank=True, help_text="The doorbell rang last.")

    token = models.BigIntegerField(default=0)
    owner = models.CharField(max_length=200, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0, help_text="Attempts failed since it last got on.")
    crashes = models.PositiveIntegerField(default=0, help_text="Workers lost in a row while doing it.")

    external_ref = models.CharField(max_length=200, blank=True)
    progress = models.PositiveSmallIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=80, blank=True)
    message = models.CharField(max_length=2000, blank=True)
    hint = models.CharField(max_length=2000, blank=True)

    first_started_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True, help_text="Claimed last.")
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = StepQuerySet.as_manager()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["operation", "key"], name="step_key_unique_in_operation"),
            models.CheckConstraint(
                condition=~Q(state__in=DUE_STEP) | Q(due_at__isnull=False), name="step_due_at_when_due"
            ),
            models.CheckConstraint(
                condition=Q(state=StepState.RUNNING) ^ Q(lease_until__isnull=True),
                name="step_lease_while_running",
            ),
            models.CheckConstraint(
                condition=Q(progress__isnull=True) | Q(progress__lte=100), name="step_progress_percent"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state__in=DUE_STEP), name="step_due"),
            models.Index(fields=["lease_until"], condition=Q(state="Running"), name="step_lease"),
            models.Index(fields=["external_ref"], condition=~Q(external_ref=""), name="step_external_ref"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def has_failed(self) -> bool:
        """Its last attempt failed, and the next one has not got any further yet."""
        return self.failures > 0 and self.state in (StepState.RETRYING, StepState.RUNNING)

    @property
    def next_attempt(self) -> int | None:
        return self.attempt + 1 if self.state == StepState.RETRYING else None

    @property
    def duration(self) -> timedelta | None:
        """From its first start until now or its end, waits and retries included."""
        return _between(self.first_started_at, self.finished_at)


class EventQuerySet(models.QuerySet["Event"]):
    def of(self, subject: Subject) -> Self:
        return self.filter(tenant_id=subject.tenant_id, subject_kind=subject.kind, subject_id=subject.id)

    def current(self) -> Self:
        return self.filter(archived_at=None)

    def after(self, number: int) -> Self:
        """Oldest first, for appending."""
        return self.filter(number__gt=number).order_by("number")

    def before(self, number: int | None) -> Self:
        """Newest first, for loading older ones; None starts at the newest."""
        rows = self.order_by("-number")
        return rows if number is None else rows.filter(number__lt=number)

    def matching(self, *, severity: str = "", text: str = "") -> Self:
        rows = self.filter(severity=severity) if severity else self
        for word in text.split():
            found = Q(message__icontains=word) | Q(reason__icontains=word) | Q(object_name__icontains=word)
            rows = rows.filter(found)
        return rows

    def last_number(self) -> int:
        """0 when there is none: what a page asks to be streamed 'after'."""
        return self.aggregate(last=models.Max("number"))["last"] or 0


class Event(models.Model):
    """One line of history: written once. Numbers of a tenant have no gaps and appear in their order."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="events")
    project = models.ForeignKey(
        Project, on_delete=models.PROTECT, null=True, blank=True, related_name="events"
    )
    number = models.BigIntegerField()
    subject_kind = models.CharField(max_length=30)
    subject_id = models.UUIDField()
    subject_name = models.CharField(max_length=200)
    severity = models.CharField(max_length=8, choices=Severity.choices)
    reason = models.CharField(max_length=80)
    message = models.CharField(max_length=2000)
    object_kind = models.CharField(max_length=40, blank=True)
    object_name = models.CharField(max_length=200, blank=True)
    operation = models.ForeignKey(
        Operation, on_delete=models.SET_NULL, null=True, blank=True, related_name="events"
    )
    step = models.ForeignKey(Step, on_delete=models.SET_NULL, null=True, blank=True, related_name="events")
    at = models.DateTimeField(db_default=Now(), editable=False)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="event_number_unique_in_tenant"),
        ]
        indexes = [
            models.Index(
                fields=["subject_kind", "subject_id", "-number"],
                condition=Q(archived_at=None),
                name="event_current_by_subject",
            ),
            models.Index(fields=["at"], condition=Q(archived_at=None), name="event_current_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.reason}"


class EventCounter(models.Model):
    """The last number given in a tenant. Its row lock puts commits in the order of numbers."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, primary_key=True, related_name="+")
    last_number = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.tenant_id}: {self.last_number}"


class Ring(models.Model):
    """The transaction that rang this reference last, so that a step about to wait does not miss it."""

    external_ref = models.CharField(max_length=200, primary_key=True)
    transaction = models.CharField(max_length=20)
    rung_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.external_ref


def _between(begin: datetime | None, end: datetime | None) -> timedelta | None:
    return (end or timezone.now()) - begin if begin else None
