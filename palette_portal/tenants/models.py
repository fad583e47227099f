"""Who owns what: tenants, their projects, their people, and what people did."""

import uuid
from functools import cached_property
from typing import Any, ClassVar, Self

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone

from palette_portal.tenants.roles import PROJECT_ROLES, TENANT_ROLES, Permission, Role, roles_with

NO_TENANT = uuid.UUID(int=0)
PROJECT_NAME_TAKEN = "Another project has this name."
EMAIL_TAKEN = "Somebody already signs in with this e-mail address."


class TenantQuerySet(models.QuerySet["Tenant"]):
    def visible_to(self, user: "User") -> Self:
        return self.filter(pk=user.own_tenant_id)


class Tenant(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=63, unique=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ProjectQuerySet(models.QuerySet["Project"]):
    def visible_to(self, user: "User") -> Self:
        in_tenant = self.filter(tenant_id=user.own_tenant_id)
        if user.tenant_roles:
            return in_tenant
        return in_tenant.filter(pk__in=user.project_roles)

    def where(self, user: "User", permission: Permission) -> Self:
        """The projects in which the user holds the permission."""
        roles = set(roles_with(permission))
        if roles & user.tenant_roles:
            return self.filter(tenant_id=user.own_tenant_id)
        held = [project for project, role in user.project_roles.items() if role in roles]
        return self.filter(tenant_id=user.own_tenant_id, pk__in=held)

    def with_member_counts(self) -> Self:
        """`member_count`: people with a role in just this project."""
        return self.annotate(member_count=models.Count("memberships"))


class Project(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="projects")
    name = models.CharField(max_length=63)
    slug = models.SlugField(max_length=63)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "slug"], name="project_slug_unique_in_tenant"),
            models.UniqueConstraint(
                "tenant",
                Lower("name"),
                name="project_name_unique_in_tenant",
                violation_error_message=PROJECT_NAME_TAKEN,
            ),
        ]

    def __str__(self) -> str:
        return self.name


class UserQuerySet(models.QuerySet["User"]):
    def visible_to(self, user: "User") -> Self:
        return self.filter(tenant_id=user.own_tenant_id)

    def active(self) -> Self:
        return self.filter(is_active=True)

    def with_roles(self) -> Self:
        memberships = Membership.objects.select_related("project")
        return self.prefetch_related(models.Prefetch("memberships", memberships))


class UserManager(BaseUserManager["User"]):
    def get_queryset(self) -> UserQuerySet:
        return UserQuerySet(self.model, using=self._db)

    def visible_to(self, user: "User") -> UserQuerySet:
        return self.get_queryset().visible_to(user)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person of one tenant; superusers run the portal and belong to none."""

    email = models.EmailField(max_length=254, unique=True)
    full_name = models.CharField(max_length=120)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, null=True, blank=True, related_name="users")
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["full_name"]

    class Meta:
        ordering = ["full_name", "email"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_unique",
                violation_error_message=EMAIL_TAKEN,
            ),
            models.CheckConstraint(
                condition=Q(tenant__isnull=False) | Q(is_superuser=True),
                name="user_has_tenant_unless_superuser",
            ),
        ]

    def __str__(self) -> str:
        return self.full_name or self.email

    @property
    def own_tenant_id(self) -> uuid.UUID:
        """For filters: matches nothing for those who belong to no tenant."""
        return self.tenant_id or NO_TENANT

    @property
    def initials(self) -> str:
        words = self.full_name.split() or [self.email]
        return "".join(word[0] for word in (words[0], *words[1:][-1:])).upper()

    @property
    def standing(self) -> str:
        if not self.is_active:
            return "Deactivated"
        return "Active" if self.has_usable_password() else "Invited"

    @cached_property
    def held_roles(self) -> tuple["Membership", ...]:
        return tuple(self.memberships.filter(tenant_id=self.own_tenant_id))

    @property
    def tenant_roles(self) -> frozenset[Role]:
        return frozenset(Role(held.role) for held in self.held_roles if held.project_id is None)

    @property
    def project_roles(self) -> dict[uuid.UUID, Role]:
        return {held.project_id: Role(held.role) for held in self.held_roles if held.project_id is not None}

    @cached_property
    def visible_projects(self) -> tuple[Project, ...]:
        """For a page, which may show them in several places."""
        return tuple(Project.objects.visible_to(self))


class MembershipQuerySet(models.QuerySet["Membership"]):
    def visible_to(self, user: "User") -> Self:
        return self.filter(tenant_id=user.own_tenant_id)


class Membership(models.Model):
    """One role of one person: in the tenant as a whole, or in one of its projects."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, null=True, blank=True, related_name="memberships"
    )
    role = models.CharField(max_length=20, choices=Role.choices)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        ordering = [F("project__name").asc(nulls_first=True)]
        constraints = [
            models.UniqueConstraint(fields=["user", "project"], name="membership_one_role_per_project"),
            models.UniqueConstraint(
                fields=["user"], condition=Q(project__isnull=True), name="membership_one_role_per_tenant"
            ),
            models.CheckConstraint(
                condition=Q(project__isnull=True, role__in=TENANT_ROLES)
                | Q(project__isnull=False, role__in=PROJECT_ROLES),
                name="membership_role_fits_scope",
            ),
        ]

    def __str__(self) -> str:
        """The role alone where it is held in the whole tenant."""
        return f"{self.get_role_display()} in {self.project}" if self.project else self.get_role_display()


class AuditRowQuerySet(models.QuerySet["AuditRow"]):
    def visible_to(self, user: User) -> Self:
        in_tenant = self.filter(tenant_id=user.own_tenant_id)
        if user.tenant_roles & set(roles_with(Permission.VIEW_AUDIT)):
            return in_tenant
        return in_tenant.filter(project__in=Project.objects.where(user, Permission.VIEW_AUDIT))


class AuditRow(models.Model):
    """What a person did. Written once, in the transaction of the deed; never changed."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="audit_rows")
    project = models.ForeignKey(
        Project, on_delete=models.PROTECT, null=True, blank=True, related_name="audit_rows"
    )
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="audit_rows")
    action = models.CharField(max_length=60)
    object_kind = models.CharField(max_length=40)
    object_id = models.CharField(max_length=40)
    object_name = models.CharField(max_length=200)
    detail = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField(default=timezone.now, editable=False)

    objects = AuditRowQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="audit_by_tenant"),
            models.Index(fields=["project", "-id"], name="audit_by_project"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_kind} {self.object_name}"

    @property
    def deed(self) -> str:
        """The action as words: "Change roles"."""
        return self.action.replace("-", " ").capitalize()

    @property
    def kind(self) -> str:
        return self.object_kind.replace("-", " ")

    @property
    def detail_lines(self) -> list[tuple[str, str]]:
        def words(value: object) -> str:
            return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

        return [(name.replace("_", " "), words(value)) for name, value in self.detail.items()]
