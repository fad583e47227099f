"""Thousands of clusters with their nodes, operations and events, made inside the database in some seconds."""

from typing import Any

from django.db import connection
from django.db.models import Model

from clusters.models import Cluster, MachinePool, Placement
from clusters.profiles.models import ClusterProfile, ProfileVersion
from palette_portal.orchestration.models import Event, EventCounter, Operation, Step
from tests.factories import (
    amelia,
    make_cloud_account,
    make_cluster,
    make_gateway,
    make_machine,
    make_machine_pool,
    make_project,
    make_tenant,
)

PROJECTS, GATEWAYS, PROFILES = 8, 3, 5
MACHINES_PER_CLUSTER, STEPS_PER_CLUSTER, EVENTS_PER_CLUSTER = 3, 10, 100
# The cluster whose details are looked at: many nodes, and a log that goes far back.
SHOWN_MACHINES, SHOWN_STEPS, SHOWN_EVENTS, SHOWN_ARCHIVED = 13, 90, 1000, 20_000


def copy_rows(template: Model, source: str, /, **values: str) -> None:
    """Insert the template's row once for each row `s` of the source; `values` are SQL for single columns."""
    fields = [field for field in template._meta.concrete_fields if not field.generated]
    if "id" not in values:
        fields = [field for field in fields if field.get_internal_type() not in ("BigAutoField", "AutoField")]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    taken = ", ".join(values.get(field.attname, f't."{field.column}"') for field in fields)
    table = template._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{table}" ({columns}) SELECT {taken} FROM "{table}" t, {source}'
            f" WHERE t.id = '{template.pk}'"
        )


def _pick(ids: list[Any], by: str) -> str:
    listed = ", ".join(f"'{key}'" for key in ids)
    return f"(ARRAY[{listed}]::uuid[])[1 + {by} % {len(ids)}]"


class Scene:
    """Grows from a hundred clusters to ten thousand; the shown one stays the same."""

    def __init__(self) -> None:
        tenant = make_tenant()
        self.admin = amelia()
        self.projects = [make_project(tenant, f"project-{n}") for n in range(PROJECTS)]
        self.gateways = [make_gateway(tenant, name=f"gateway-{n}") for n in range(GATEWAYS)]
        self.accounts = [make_cloud_account(gateway) for gateway in self.gateways]
        self.versions = [_profile(tenant, n) for n in range(PROFILES)]
        self.count = 0
        self.template = make_cluster(
            self.gateways[0],
            cloud_account=self.accounts[0],
            project=self.projects[0],
            profile_version=self.versions[0],
            name="template",
            state="Running",
            health="Healthy",
        )
        self.pool = make_machine_pool(self.template, size=3)
        self.placement: Placement = self.pool.placements.get()
        self.machine = make_machine(self.pool, state="Running", name="template-1", ip_address="10.0.0.1")
        self.operation = Operation.objects.create(
            kind="provision",
            subject_kind="cluster",
            subject_id=self.template.pk,
            subject_name="template",
            tenant=tenant,
            project=self.projects[0],
            state="Succeeded",
            started_at="2026-11-22T11:55:00Z",
            finished_at="2026-11-22T12:00:00Z",
        )
        self.step = Step.objects.create(
            operation=self.operation,
            key="step",
            title="Clone virtual machine",
            function="clusters.steps.machines.ensure_machine_cloned",
            position=0,
            state="Done",
            first_started_at="2026-11-22T11:59:00Z",
            finished_at="2026-11-22T12:00:00Z",
            message="It is cloned.",
        )
        self.event = Event.objects.create(
            tenant=tenant,
            project=self.projects[0],
            number=1,
            subject_kind="cluster",
            subject_id=self.template.pk,
            subject_name="template",
            severity="Info",
            reason="MachineCloned",
            message="The machine was cloned.",
            object_kind="machine",
            object_name="machine",
        )
        EventCounter.objects.create(tenant=tenant, last_number=1)
        self._fill_shown()

    @property
    def shown(self) -> Cluster:
        return self.template

    def grow_to(self, count: int) -> None:
        first = self.count + 1
        copy_rows(
            self.template,
            f"generate_series({first}, {count}) AS s(n)",
            id="gen_random_uuid()",
            name="(ARRAY['prod','dev','test','stage'])[1 + n % 4]"
            " || '-' || lpad((n * 7919 % 100000)::text, 5, '0')",
            state="(ARRAY['Running','Running','Running','Provisioning','Pending','Deleting'])[1 + n % 6]",
            health="(ARRAY['Healthy','Healthy','Unhealthy','Unknown'])[1 + n % 4]",
            project_id=_pick([project.pk for project in self.projects], "n"),
            gateway_id=_pick([gateway.pk for gateway in self.gateways], "(n / 8)"),
            cloud_account_id=_pick([account.pk for account in self.accounts], "(n / 8)"),
            profile_version_id=_pick([version.pk for version in self.versions], "(n / 3)"),
            kubernetes_version="'1.' || 29 + n % 9 || '.' || n % 12",
            tags="ARRAY['team:' || n % 40, 'tier:' || n % 3]",
            endpoint_host="'10.' || n % 200 || '.' || n / 250 || '.' || 1 + n % 250",
            created_at="now() - n * interval '7 minutes'",
        )
        self._furnish()
        self.count = count
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")

    def _furnish(self) -> None:
        """The new clusters are those without a pool."""
        table, pools = Cluster._meta.db_table, MachinePool._meta.db_table
        fresh = f"""(SELECT c.id, c.name, c.tenant_id, c.project_id, row_number() OVER () AS place
            FROM {table} c WHERE NOT EXISTS (SELECT 1 FROM {pools} p WHERE p.cluster_id = c.id)) AS s"""
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TEMP TABLE fresh AS SELECT * FROM {fresh}")
            self._copy_for("fresh AS s")
            cursor.execute("DROP TABLE fresh")

    def _copy_for(self, fresh: str) -> None:
        copy_rows(self.pool, fresh, id="gen_random_uuid()", cluster_id="s.id")
        pools, placements = MachinePool._meta.db_table, Placement._meta.db_table
        joined = f"{fresh} JOIN {pools} p ON p.cluster_id = s.id"
        copy_rows(self.placement, joined, pool_id="p.id")
        copy_rows(
            self.machine,
            f"{joined} JOIN {placements} q ON q.pool_id = p.id, "
            f"generate_series(1, {MACHINES_PER_CLUSTER}) AS i",
            id="gen_random_uuid()",
            cluster_id="s.id",
            pool_id="p.id",
            placement_id="q.id",
            index="i",
            name="s.name || '-' || i",
            is_first="i = 1",
        )
        copy_rows(self.operation, fresh, id="gen_random_uuid()", subject_id="s.id", subject_name="s.name")
        operations = Operation._meta.db_table
        copy_rows(
            self.step,
            f"{fresh} JOIN {operations} o ON o.subject_id = s.id,"
            f" generate_series(1, {STEPS_PER_CLUSTER}) AS i",
            id="gen_random_uuid()",
            operation_id="o.id",
            key="'step-' || i",
            position="i",
        )
        self._events(
            f"{fresh}, generate_series(1, {EVENTS_PER_CLUSTER}) AS i",
            subject_id="s.id",
            subject_name="s.name",
        )

    def _events(self, source: str, **values: str) -> None:
        counter = EventCounter.objects.get()
        copy_rows(
            self.event,
            source,
            number=f"{counter.last_number} + row_number() OVER (ORDER BY i)",
            severity="(ARRAY['Info','Info','Info','Warning','Error'])[1 + i % 5]",
            message="'Machine ' || i || ' was cloned to esx-' || i % 20 || '.acme.test.'",
            **values,
        )
        counter.last_number = Event.objects.filter(tenant_id=counter.tenant_id).last_number()
        counter.save()

    def _fill_shown(self) -> None:
        copy_rows(
            self.machine,
            f"generate_series(2, {SHOWN_MACHINES}) AS i",
            id="gen_random_uuid()",
            index="i",
            name="'template-' || i",
            is_first="false",
        )
        copy_rows(
            self.step,
            f"generate_series(1, {SHOWN_STEPS}) AS i",
            id="gen_random_uuid()",
            key="'step-' || i",
            position="i",
            group=f"'template-' || 1 + (i - 1) * {SHOWN_MACHINES} / {SHOWN_STEPS}",
        )
        self._events(f"generate_series(1, {SHOWN_ARCHIVED}) AS i", archived_at="now()")
        self._events(f"generate_series(1, {SHOWN_EVENTS}) AS i")


def _profile(tenant: Any, number: int) -> Any:
    profile = ClusterProfile.objects.create(tenant=tenant, name=f"profile-{number}")
    return ProfileVersion.objects.create(
        profile=profile, version="1.0.0", rank=10**12, published_at="2026-11-22T12:00:00Z"
    )
