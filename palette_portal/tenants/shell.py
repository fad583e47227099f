"""What stands around every page: navigation as data, the scope switcher, the theme."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject, cached_property

from palette_portal.tenants.models import Project, User
from palette_portal.tenants.permissions import Permission, can_somewhere

THEMES = ("light", "dark")


@dataclass(frozen=True)
class Entry:
    label: str
    icon: str
    url_name: str
    permission: Permission
    pages: str  # prefix of the view names that belong to this entry


@dataclass(frozen=True)
class Group:
    label: str
    entries: tuple[Entry, ...]


NAVIGATION = (
    Group(
        "",
        (
            Entry("Clusters", "boxes", "clusters:list", Permission.VIEW_CLUSTERS, "clusters:"),
            Entry("Profiles", "layers", "profiles:list", Permission.VIEW_CLUSTER_PROFILES, "profiles:"),
        ),
    ),
    Group(
        "Tenant Settings",
        (
            Entry("Private Cloud Gateways", "router", "gateways:list", Permission.VIEW_GATEWAYS, "gateways:"),
            Entry(
                "Cloud Accounts", "key-round", "accounts:list", Permission.VIEW_CLOUD_ACCOUNTS, "accounts:"
            ),
            Entry("IP Pools", "network", "ippools:list", Permission.VIEW_IP_POOLS, "ippools:"),
            Entry(
                "Projects", "folder-kanban", "tenants:projects", Permission.MANAGE_PROJECTS, "tenants:project"
            ),
            Entry("Users", "users", "tenants:users", Permission.MANAGE_USERS, "tenants:user"),
            Entry("Audit log", "shield-check", "tenants:audit", Permission.VIEW_AUDIT, "tenants:audit"),
        ),
    ),
)


@dataclass(frozen=True)
class Link:
    label: str
    icon: str
    href: str
    is_current: bool


def belongs_to(request: HttpRequest, pages: str) -> None:
    """The page that answers is one of these in the navigation, whatever its address says."""
    request.belongs_to = pages  # type: ignore[attr-defined]


class Shell:
    """Asked by base.html only, so that a part pays for none of its queries."""

    def __init__(self, request: HttpRequest, user: User) -> None:
        self.request = request
        self.user = user

    @cached_property
    def groups(self) -> list[tuple[str, list[Link]]]:
        drawn = [(group.label, self._links(group)) for group in NAVIGATION]
        return [(label, links) for label, links in drawn if links]

    def _links(self, group: Group) -> list[Link]:
        allowed = (entry for entry in group.entries if can_somewhere(self.user, entry.permission))
        return [self._link(entry) for entry in allowed]

    def _link(self, entry: Entry) -> Link:
        return Link(entry.label, entry.icon, reverse(entry.url_name), self._page.startswith(entry.pages))

    @cached_property
    def _page(self) -> str:
        match = self.request.resolver_match
        named: str = getattr(self.request, "belongs_to", "")
        return named or (match.view_name if match else "")

    @property
    def projects(self) -> tuple[Project, ...]:
        return self.user.visible_projects

    @property
    def role(self) -> str:
        """The role in the scope that the switcher shows."""
        project: Project | None = self.request.project  # type: ignore[attr-defined]
        if project and project.pk in self.user.project_roles:
            return self.user.project_roles[project.pk].label
        return ", ".join(role.label for role in self.user.tenant_roles) or "Member of projects"


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor."""
    theme = request.COOKIES.get("theme", "")
    context: dict[str, Any] = {"theme": theme if theme in THEMES else ""}
    user = getattr(request, "user", None)
    if isinstance(user, User) or (user is not None and user.is_authenticated):
        context["shell"] = SimpleLazyObject(lambda: Shell(request, user))
    return context
