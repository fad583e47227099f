"""A PowerCLI script for the vSphere administrator."""

import re
from collections.abc import Iterable, Iterator

from gateways.prerequisites.exports.roles import Grant, RoleNeed, comment, needed_roles
from gateways.prerequisites.report import Report
from palette_portal.vsphere.endpoint import parse_server

# PowerShell takes typographic single quotes for quotes too.
_QUOTES = re.compile("(['\u2018\u2019\u201a\u201b])")

HEAD = """\
# Gives {principal} the privileges that Palette Portal misses on {server}.
# Run it in PowerShell with VMware PowerCLI, as a vCenter administrator. It can run again.
$ErrorActionPreference = 'Stop'
Connect-VIServer -Server {quoted_server} | Out-Null
$principal = {quoted_principal}

function Add-Missing {{
    param($Role, [string[]] $Wanted)
    $new = @($Wanted | Where-Object {{ $Role.PrivilegeList -notcontains $_ }})
    if ($new) {{ $Role = Set-VIRole -Role $Role -AddPrivilege (Get-VIPrivilege -Id $new) }}
    return $Role
}}

function Set-PaletteRole {{
    param([string] $Name, [string[]] $Missing, [string[]] $Kept)
    $wanted = @($Missing) + @($Kept)
    $role = Get-VIRole -Name $Name -ErrorAction SilentlyContinue
    if (-not $role) {{ return New-VIRole -Name $Name -Privilege (Get-VIPrivilege -Id $wanted) }}
    return Add-Missing -Role $role -Wanted $wanted
}}

# Where the account has a role of its own already, that role gets what is missing.
function Set-PalettePermission {{
    param([string] $Object, $Role, [string[]] $Missing, [bool] $Propagate)
    $entity = Get-VIObjectByVIView -MORef $Object
    $all = Get-VIPermission -Entity $entity -Principal $principal
    $there = $all | Where-Object {{ $_.EntityId -eq $entity.Id }}
    $own = if ($there) {{ Get-VIRole -Name $there.Role }}
    if (-not $there) {{
        New-VIPermission -Entity $entity -Principal $principal -Role $Role -Propagate:$Propagate
    }}
    elseif ($own.IsSystem) {{ Set-VIPermission -Permission $there -Role $Role }}
    else {{ Add-Missing -Role $own -Wanted $Missing | Out-Null }}
}}
"""
NOTHING = "# No privilege is missing.\n"


def powercli_script(report: Report) -> str:
    roles = list(needed_roles(report))
    if not roles:
        return NOTHING
    head = HEAD.format(
        principal=comment(report.principal),
        server=comment(report.server),
        quoted_server=quoted(parse_server(report.server).host),
        quoted_principal=quoted(report.principal),
    )
    return head + "".join("\n" + "\n".join(_role(role)) + "\n" for role in roles)


def _role(need: RoleNeed) -> Iterator[str]:
    if need.is_vcenters_own:
        yield f"# {need.title}: vCenter's own role"
        yield f"$missing = {_array(need.missing)}"
        yield f"$role = Get-VIRole -Name {quoted(need.name)}"
    else:
        yield f"# {need.title}: {len(need.missing)} missing"
        yield f"$missing = {_array(need.missing)}"
        if need.kept:
            yield "# Held today. A permission on an object replaces what is inherited there."
        yield f"$kept = {_array(need.kept)}"
        yield f"$role = Set-PaletteRole -Name {quoted(need.name)} -Missing $missing -Kept $kept"
    yield from (_permission(grant) for grant in need.grants)


def _permission(grant: Grant) -> str:
    target, propagate = grant.target, "$true" if grant.propagate else "$false"
    reference = quoted(f"{target.vsphere_kind}-{target.moid}")
    said = comment(f"{target.kind} {target.name}")
    given = f"-Object {reference} -Role $role -Missing $missing -Propagate {propagate}"
    return f"Set-PalettePermission {given}  # {said}"


def _array(ids: Iterable[str]) -> str:
    listed = ",\n".join(f"    {quoted(one)}" for one in ids)
    return f"@(\n{listed}\n)" if listed else "@()"


def quoted(text: str) -> str:
    return "'" + _QUOTES.sub(r"\1\1", text) + "'"
