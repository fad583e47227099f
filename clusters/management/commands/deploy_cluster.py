"""Deploy a cluster as an exported review says: what the deploy wizard's last page offers to repeat."""

import getpass
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from clusters.deploy.checks import check_draft, sentence_of
from clusters.deploy.deploying import DeploymentRefused, deploy_draft
from clusters.deploy.drafts import discard_draft
from clusters.deploy.export import ENVIRONMENT
from clusters.deploy.repeat import CannotRepeat, draft_from, wanted_secrets
from clusters.models import DeployDraft
from gateways.models import PrerequisiteReport
from gateways.prerequisites import Report
from palette_portal.http import Conflict
from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Denied
from palette_portal.vsphere.errors import VSphereError

WAIT_SECONDS = 120
LOOK_AGAIN_SECONDS = 0.3


class Command(BaseCommand):
    help = "Deploy a cluster from a review that the deploy wizard exported as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--file", required=True, help="the exported review; - reads it from standard input"
        )
        parser.add_argument("--as", dest="email", required=True, help="e-mail address of who deploys it")
        parser.add_argument("--name", default="", help="another name for the cluster")
        parser.add_argument("--project", default="", help="another project, by its short name")
        parser.add_argument(
            "--check", action="store_true", help="only check the prerequisites; deploy nothing"
        )
        parser.add_argument(
            "--wait", type=int, default=WAIT_SECONDS, help="seconds to wait for the check (%(default)s)"
        )

    def handle(self, *_arguments: Any, **options: Any) -> None:
        document, by = _read(options["file"]), _person(options["email"])
        try:
            secrets = {name: _secret(name) for name in wanted_secrets(document)}
            draft = draft_from(
                document, by=by, secrets=secrets, name=options["name"], project=options["project"]
            )
            self._act(draft, by, only_checks=options["check"], seconds=options["wait"])
        except CannotRepeat as error:
            raise CommandError("\n".join(error.reasons)) from error
        except (Denied, Conflict) as error:
            raise CommandError(error.reason) from error
        except VSphereError as error:
            raise CommandError(f"{error.sentence} {error.hint}".strip()) from error

    def _act(self, draft: DeployDraft, by: User, *, only_checks: bool, seconds: int) -> None:
        """Nothing is left of what did not become a cluster."""
        try:
            found = _finished(check_draft(draft, by=by), seconds)
            if only_checks:
                self._tell(found)
            else:
                cluster = deploy_draft(draft=draft, by=by)
                self.stdout.write(f"{cluster.name} is being deployed: {cluster.pk}")
        except DeploymentRefused as refused:
            raise CommandError(f"{refused.page}: {refused.reason}") from refused
        finally:
            for undeployed in DeployDraft.objects.filter(pk=draft.pk, cluster=None):
                discard_draft(draft=undeployed, by=by)

    def _tell(self, found: Report) -> None:
        for line in found.lines:
            self.stdout.write(f"{line.level:<8}{sentence_of(line)}")
        if found.failed:
            raise CommandError("It cannot be deployed like this.")


def _finished(report: PrerequisiteReport, seconds: int) -> Report:
    """What a worker found out."""
    deadline = time.monotonic() + seconds
    while report.is_running:
        if time.monotonic() > deadline:
            raise CommandError(f"The check did not end within {seconds} seconds. Does a worker run?")
        time.sleep(LOOK_AGAIN_SECONDS)
        try:
            report.refresh_from_db()
        except PrerequisiteReport.DoesNotExist as gone:
            raise CommandError("The cloud account was deleted meanwhile.") from gone
    return Report.from_json(report.content)


def _read(name: str) -> dict[str, Any]:
    try:
        document = json.loads(sys.stdin.read() if name == "-" else Path(name).read_text())
    except (OSError, ValueError) as error:
        raise CommandError(f"{name} cannot be read as JSON: {error}") from error
    if not isinstance(document, dict):
        raise CommandError(f"{name} is not a review.")
    return document


def _person(email: str) -> User:
    user = User.objects.filter(is_active=True, email__iexact=email).first()
    if user is None:
        raise CommandError(f"Nobody who is active signs in as {email}.")
    return user


def _secret(name: str) -> str:
    """From the environment, else typed without being shown."""
    if given := os.environ.get(ENVIRONMENT + name):
        return given
    if not sys.stdin.isatty():
        raise CommandError(f"The variable {name} is secret: put it into {ENVIRONMENT}{name}.")
    return getpass.getpass(f"Value of {name}: ")
