"""What has to be there before anybody can deploy."""

from django.test import Client

from gateways.states import GatewayState
from palette_portal.tenants.roles import Role
from tests.factories import make_cloud_account, make_gateway, make_pool, make_project, make_user
from tests.integration.deploy.walk import DeployWalk, make_profile
from tests.lab.vcsim import Lab

# The template that the lab has.
IMAGE = {"ubuntu": "image:\n  template: r_u-2204-0-k-1312-0\n"}


def make_walk(client: Client, lab: Lab) -> DeployWalk:
    project = make_project()
    user = make_user("paolo", Role.PROJECT_ADMIN, project=project)
    gateway = make_gateway(name="dc-west", state=GatewayState.RUNNING, vcenter_server=lab.server)
    account = make_cloud_account(
        gateway,
        name="dc-west",
        vcenter_server=lab.server,
        username=lab.username,
        password=lab.password,
        thumbprint_sha256=lab.thumbprint_sha256,
    )
    ip_pool = make_pool(gateway, name="rack-7")
    client.force_login(user)
    choose_project(client, str(project.pk))
    return DeployWalk(
        client, user, project, gateway, account, ip_pool, make_profile(project, values=IMAGE), lab
    )


def choose_project(client: Client, project_id: str) -> None:
    session = client.session
    session["project"] = project_id
    session.save()
