"""Profiles in each state, and the addresses of their pages."""

from django.urls import reverse

from clusters.profiles import actions
from clusters.profiles.models import ProfileType
from tests.factories import make_tenant


def make_profile(by=None, *, project=None, name="vSphere east", type=ProfileType.FULL, **fields):
    """A draft, complete unless it is told its layers."""
    tenant = by.tenant if by else make_tenant()
    values = {"version": "1.0.0", **fields}
    return actions.create_profile(tenant=tenant, project=project, name=name, type=type, by=by, **values)


def make_published(by=None, **fields):
    return actions.publish_version(version=make_profile(by, **fields), by=by)


def path(name, version=None, *more, **query):
    arguments = [version.profile_id, version.version, *more] if version else []
    if name in ("detail", "edit", "delete"):
        arguments = arguments[:1]
    return reverse(f"profiles:{name}", args=arguments, query=query or None)


def layer(version, kind):
    return version.layers.get(kind=kind)
