"""What people do with cluster profiles. A published version never changes: the database sees to it, too."""

from clusters.profiles.actions.drafts import (
    add_layer,
    change_layer,
    remove_layer,
    remove_variable,
    set_variable,
)
from clusters.profiles.actions.exchange import export_version, import_profile
from clusters.profiles.actions.profiles import (
    change_profile,
    clone_profile,
    create_profile,
    delete_profile,
    delete_version,
    new_version,
    publish_version,
)

__all__ = [
    "add_layer",
    "change_layer",
    "change_profile",
    "clone_profile",
    "create_profile",
    "delete_profile",
    "delete_version",
    "export_version",
    "import_profile",
    "new_version",
    "publish_version",
    "remove_layer",
    "remove_variable",
    "set_variable",
]
