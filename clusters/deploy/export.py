"""The review as a document, and the way back: a draft from it. Objects of vCenter go by their names.

Masked variables are named without their values: whoever repeats it is asked for them. Names of variables of
add-on profiles begin with the number of the profile in the list.
"""

from collections.abc import Mapping
from typing import Any

from clusters.deploy.checks import sentence_of
from clusters.deploy.drafts import (
    BASICS,
    PARAMETERS,
    PLACEMENT,
    POOLS,
    PROFILE,
    page_values,
    variables_of,
)
from clusters.deploy.forms.pools import MASTER
from clusters.deploy.layers import add_ons_of
from clusters.deploy.review import Review
from clusters.models import DeployDraft
from clusters.profiles.stack import stacked
from clusters.profiles.variables import Variable
from gateways.models import PrerequisiteReport
from gateways.prerequisites import Report

KIND, VERSION = "palette-portal/cluster-deployment", 1
ENVIRONMENT = "DEPLOY_VAR_"
_PLACEMENT = (
    "own_folder",
    "image_folder",
    "ssh_keys",
    "ntp_servers",
    "allocation",
    "endpoint_host",
    "search_domain",
)


def document_of(draft: DeployDraft, review: Review, report: PrerequisiteReport | None) -> dict[str, Any]:
    """Nothing in it says where it came from, but the people and objects it names."""
    return {
        "kind": KIND,
        "version": VERSION,
        "project": draft.project.slug,
        BASICS: page_values(draft, BASICS),
        PROFILE: _profile(page_values(draft, PROFILE)),
        PARAMETERS: _parameters(draft),
        PLACEMENT: _placement(draft),
        POOLS: _pools(page_values(draft, POOLS)),
        "planned": planned(review),
        "prerequisites": prerequisites(report),
    }


def planned(review: Review) -> dict[str, Any]:
    """For people and other programs; not read back."""
    return {
        "kubernetes_version": review.request.kubernetes_version,
        "image_template": review.request.image_template,
        "endpoint": review.endpoint,
        "pod_cidr": review.request.pod_cidr,
        "service_cidr": review.request.service_cidr,
        "machines": [
            {
                "name": machine.name,
                "pool": machine.pool.name,
                "zone": machine.place.zone,
                "compute_cluster": machine.place.compute_cluster_name,
                "address": machine.address,
                "num_cpus": machine.pool.num_cpus,
                "memory_gb": machine.memory_gb,
                "disk_gb": machine.pool.disk_gib,
            }
            for machine in review.machines
        ],
        "addresses": {claim.demand.pool.name: str(claim.demand.needed) for claim in review.claims},
    }


def prerequisites(report: PrerequisiteReport | None) -> dict[str, Any]:
    """How the check stands, as the page shows it; not read back either."""
    if report is None:
        return {"state": "not checked", "checked_at": None, "failed": [], "warnings": []}
    found = Report.from_json(report.content)
    state = report.level if report.is_fresh else "checking" if report.is_running else "outdated"
    return {
        "state": state,
        "checked_at": report.finished_at.isoformat() if report.finished_at else None,
        "failed": [sentence_of(line) for line in found.failed],
        "warnings": [sentence_of(line) for line in found.warnings],
    }


def _profile(values: Mapping[str, Any]) -> dict[str, Any]:
    names = {name: values[name] for name in ("profile", "version_name", "scope")}
    return {**names, "add_ons": values.get("add_on_names", [])}


def _parameters(draft: DeployDraft) -> dict[str, Any]:
    given, shown = variables_of(draft), _variables(draft)
    return {
        "layers": page_values(draft, PARAMETERS)["layers"],
        "variables": {
            name: given[key]
            for name, (key, variable) in shown.items()
            if key in given and not variable.masked
        },
        "secret_variables": secrets_of(draft),
    }


def secrets_of(draft: DeployDraft) -> list[str]:
    given = variables_of(draft)
    return [name for name, (key, variable) in _variables(draft).items() if variable.masked and key in given]


def _variables(draft: DeployDraft) -> dict[str, tuple[str, Variable]]:
    """By the name in the document: the key of the value, and the variable."""
    profiles = stacked(draft.profile_version, add_ons_of(draft))
    return {
        name_in_document(number, variable.name): (profile.key(variable.name), variable)
        for number, profile in enumerate(profiles)
        for variable in profile.definitions
    }


def name_in_document(number: int, name: str) -> str:
    """Of a variable of the cluster's own profile (0), or of an add-on profile, which are counted from 1."""
    return f"{number}_{name}" if number else name


def _placement(draft: DeployDraft) -> dict[str, Any]:
    values = page_values(draft, PLACEMENT)
    return {
        "cloud_account": values["account_name"],
        **values["names"],
        **{name: values[name] for name in _PLACEMENT},
    }


def _pools(values: Mapping[str, Any]) -> dict[str, Any]:
    return {MASTER: _pool(values[MASTER]), "workers": [_pool(pool) for pool in values["workers"]]}


def _pool(values: Mapping[str, Any]) -> dict[str, Any]:
    plain = {
        name: value for name, value in values.items() if name not in ("zones", "ip_pool", "ip_pool_name")
    }
    zones = [{**zone["names"], "zone": zone["zone"]} for zone in values["zones"]]
    return {**plain, "ip_pool": values["ip_pool_name"], "zones": zones}


def file_name_of(draft: DeployDraft) -> str:
    return f"{page_values(draft, BASICS)['name']}.json"


def repeat_command(draft: DeployDraft) -> str:
    secrets = "".join(f"{ENVIRONMENT}{name}=… " for name in secrets_of(draft))
    return f"{secrets}python manage.py deploy_cluster --file {file_name_of(draft)} --as "
