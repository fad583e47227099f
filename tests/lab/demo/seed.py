"""The demo tenant: one project, one user per role, one cluster profile. Run twice, it changes nothing."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from allauth.account.models import EmailAddress
from django.db import transaction

from clusters.profiles.actions import create_profile, publish_version
from clusters.profiles.models import ClusterProfile, ProfileType
from gateways.actions.system import ensure_system_gateway
from palette_portal.tenants.models import Membership, Project, Tenant, User
from palette_portal.tenants.roles import PROJECT_ROLES, Role


@dataclass(frozen=True)
class Person:
    email: str
    full_name: str
    role: Role


PEOPLE = (
    Person("amelia@demo.example", "Amelia Stone", Role.TENANT_ADMIN),
    Person("dora@demo.example", "Dora Lindqvist", Role.PROJECT_ADMIN),
    Person("bao@demo.example", "Bao Nguyen", Role.PROJECT_EDITOR),
    Person("emil@demo.example", "Emil Okafor", Role.PROJECT_VIEWER),
    Person("sam@demo.example", "Sam Ortega", Role.SUPPORT),
)


@transaction.atomic
def seed_demo(*, known_passwords: Mapping[str, str]) -> list[dict[str, str]]:
    """The people with their passwords; who has none that we know gets a new one."""
    tenant, _ = Tenant.objects.get_or_create(slug="demo", defaults={"name": "Demo"})
    ensure_system_gateway(tenant)
    project, _ = Project.objects.get_or_create(tenant=tenant, slug="default", defaults={"name": "Default"})
    _ensure_profile(tenant)
    return [_ensure_person(person, project=project, known_passwords=known_passwords) for person in PEOPLE]


def _ensure_profile(tenant: Tenant) -> None:
    """Of packs whose node image is in the lab's vCenter, so that a cluster can be deployed at once."""
    if ClusterProfile.objects.filter(tenant=tenant).exists():
        return
    draft = create_profile(
        tenant=tenant,
        project=None,
        name="vSphere starter",
        type=ProfileType.FULL,
        version="1.0.0",
        description="Ubuntu, Kubernetes, Calico and vSphere storage, with the values of the packs.",
        by=None,
    )
    publish_version(version=draft, by=None)


def _ensure_person(person: Person, *, project: Project, known_passwords: Mapping[str, str]) -> dict[str, str]:
    user = User.objects.filter(email=person.email).first()
    password = known_passwords.get(person.email) or secrets.token_urlsafe(12)
    if user is None:
        user = _create_user(person, password=password, project=project)
    elif person.email not in known_passwords:
        user.set_password(password)
        user.save(update_fields=["password"])
    return {"email": person.email, "password": password, "role": str(person.role.label)}


def _create_user(person: Person, *, password: str, project: Project) -> User:
    user = User.objects.create_user(person.email, password, full_name=person.full_name, tenant=project.tenant)
    EmailAddress.objects.create(user=user, email=person.email, verified=True, primary=True)
    Membership.objects.create(
        tenant=project.tenant,
        user=user,
        project=project if person.role in PROJECT_ROLES else None,
        role=person.role,
    )
    return user
