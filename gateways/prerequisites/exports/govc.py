"""A govc script for the vSphere administrator."""

from collections.abc import Iterable, Iterator
from shlex import quote

from gateways.prerequisites.exports.roles import Grant, RoleNeed, comment, needed_roles
from gateways.prerequisites.report import Report

HEAD = """\
#!/bin/sh
# Gives {principal} the privileges that Palette Portal misses on {server}.
# Run it with govc, as a vCenter administrator (GOVC_USERNAME, GOVC_PASSWORD). It can run again.
# A permission that the account has directly on one of these objects is replaced: see govc permissions.ls.
set -eu
export GOVC_URL="${{GOVC_URL:-{url}}}"
principal={quoted_principal}

give_role() {{
  name=$1
  shift
  if govc role.ls "$name" >/dev/null 2>&1; then
    govc role.update -a "$name" "$@"
  else
    govc role.create "$name" "$@"
  fi
}}
"""
NOTHING = "#!/bin/sh\n# No privilege is missing.\n"


def govc_script(report: Report) -> str:
    roles = list(needed_roles(report))
    if not roles:
        return NOTHING
    head = HEAD.format(
        principal=comment(report.principal),
        server=comment(report.server),
        url=comment(report.server),
        quoted_principal=quote(report.principal),
    )
    return head + "".join("\n" + "\n".join(_role(role)) + "\n" for role in roles)


def _role(need: RoleNeed) -> Iterator[str]:
    if need.is_vcenters_own:
        yield f"# {need.title}: vCenter's own role"
    else:
        yield f"# {need.title}: {len(need.missing)} missing"
        yield f"give_role {quote(need.name)} {_words(need.missing)}"
    if need.kept:
        yield "# Held today. A permission on an object replaces what is inherited there."
        yield f"govc role.update -a {quote(need.name)} {_words(need.kept)}"
    yield from (_permission(need, grant) for grant in need.grants)


def _permission(need: RoleNeed, grant: Grant) -> str:
    target, propagate = grant.target, "true" if grant.propagate else "false"
    role = quote(need.name)
    said = comment(f"{target.kind} {target.name}")
    return (
        f'govc permissions.set -principal "$principal" -role {role} -propagate={propagate} '
        f"{quote(target.reference)}  # {said}"
    )


def _words(ids: Iterable[str]) -> str:
    return "".join(f" \\\n  {quote(one)}" for one in ids).lstrip(" ")
