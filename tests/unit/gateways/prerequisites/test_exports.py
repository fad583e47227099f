"""Names in vCenter are anybody's text: none of them may become a command or a formula."""

import csv
import io
import json
import subprocess

import pytest

from gateways.prerequisites.exports import EXPORTS
from gateways.prerequisites.exports.powercli import quoted
from gateways.prerequisites.exports.roles import comment, needed_roles
from gateways.prerequisites.exports.spreadsheet import spreadsheet
from gateways.prerequisites.report import Line, Report, Target

NASTY = "x'; touch hacked; $(touch hacked) `touch hacked`\nRemove-VM * \u2019 # \\"
PRINCIPAL = "ACME\\o'neil $HOME"
GOVC = """#!/bin/sh
[ "$1 $2" = "role.ls palette-spectro" ] && exit 0
[ "$1" = role.ls ] && exit 1
python3 -c 'import json, sys; print(json.dumps(sys.argv[1:]))' "$@" >>"$CALLS"
"""


def lacking(kind, moid, *missing, held=(), reference="Folder"):
    target = Target(kind, moid, f"{reference}:{moid}", NASTY)
    return Line(
        f"privileges:{kind}", "failed", kind, NASTY, NASTY, missing=missing, held=held, targets=(target,)
    )


REPORT = Report(
    (
        Line("dns", "passed", "vCenter", "v", "Fine."),
        lacking("root", "group-d1", "Cns.Searchable"),
        lacking("folder", "group-v3", "Folder.Create", "Folder.Delete", held=("Folder.Move",)),
        lacking("image-folder", "group-v4", "Folder.Create", "System.Read"),
        lacking("switch", "dvs-1", "System.Read", reference="DistributedVirtualSwitch"),
    ),
    server="vcenter.acme.test",
    version="8.0.3",
    principal=PRINCIPAL,
)


def test_roles_hold_exactly_what_is_missing():
    roles = {role.key: role for role in needed_roles(REPORT)}

    assert roles["root"].missing == ("Cns.Searchable",)
    assert roles["spectro"].missing == ("Folder.Create", "Folder.Delete")
    assert roles["spectro"].kept == ("Folder.Move",)
    assert [(grant.target.moid, grant.propagate) for grant in roles["spectro"].grants] == [
        ("group-v3", True),
        ("group-v4", True),
    ]
    assert roles["read-only"].missing == () and roles["read-only"].is_vcenters_own


def test_govc_script_does_what_it_says_and_nothing_else(tmp_path):
    program, calls = tmp_path / "govc", tmp_path / "calls"
    program.write_text(GOVC)
    program.chmod(0o755)
    script = tmp_path / "roles.sh"
    script.write_text(EXPORTS["govc"].write(REPORT))

    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin:/usr/local/bin",
        "CALLS": str(calls),
        "HOME": "/nowhere",
    }
    done = subprocess.run(["sh", script], env=environment, cwd=tmp_path, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "hacked").exists()
    permission = ["permissions.set", "-principal", PRINCIPAL, "-role"]
    assert [json.loads(line) for line in calls.read_text().splitlines()] == [
        ["role.create", "palette-root", "Cns.Searchable"],
        [*permission, "palette-root", "-propagate=false", "Folder:group-d1"],
        ["role.update", "-a", "palette-spectro", "Folder.Create", "Folder.Delete"],
        ["role.update", "-a", "palette-spectro", "Folder.Move"],
        [*permission, "palette-spectro", "-propagate=true", "Folder:group-v3"],
        [*permission, "palette-spectro", "-propagate=true", "Folder:group-v4"],
        [*permission, "ReadOnly", "-propagate=false", "DistributedVirtualSwitch:dvs-1"],
    ]


def test_powercli_script_uses_its_cmdlets_and_quotes_names():
    script = EXPORTS["powercli"].write(REPORT)

    assert "Connect-VIServer -Server 'vcenter.acme.test'" in script
    assert "$principal = 'ACME\\o''neil $HOME'" in script
    assert "New-VIRole -Name $Name -Privilege (Get-VIPrivilege -Id $wanted)" in script
    assert "Set-VIRole -Role $Role -AddPrivilege (Get-VIPrivilege -Id $new)" in script
    assert (
        "New-VIPermission -Entity $entity -Principal $principal -Role $Role -Propagate:$Propagate" in script
    )
    assert "-Object 'Folder-group-v3' -Role $role -Missing $missing -Propagate $true" in script
    assert "$role = Get-VIRole -Name 'ReadOnly'" in script
    commands = [line for line in script.splitlines() if not line.lstrip().startswith("#")]
    assert not any("Remove-VM" in line.partition("  # ")[0] for line in commands)


def test_powershell_quotes_are_doubled_whatever_their_form():
    assert (
        quoted("it's \u2018a\u2019 \u201atest\u201b")
        == "'it''s \u2018\u2018a\u2019\u2019 \u201a\u201atest\u201b\u201b'"
    )


def test_comment_stays_on_its_line():
    assert comment("a\nb\r\u2028c\x00d") == "a b c d"


@pytest.mark.parametrize("kind", ["powercli", "govc"])
def test_script_without_need_says_so(kind):
    script = EXPORTS[kind].write(Report(REPORT.lines[:1], "v", "8.0.3", "p"))

    assert "No privilege is missing." in script and "role" not in script.lower()


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1"])
def test_cell_is_never_a_formula(name):
    report = Report((Line("dns", "passed", "vCenter", name, name, name),))

    text = spreadsheet(report)

    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    assert row["Object"] == row["Finding"] == row["What to do"] == f"'{name}"


def test_cell_that_is_harmless_stays_as_it_is():
    report = Report((Line("dns", "passed", "vCenter", 'a "b", c', "x=1"),))

    (row,) = csv.DictReader(io.StringIO(spreadsheet(report).removeprefix("\ufeff")))
    assert (row["Object"], row["Finding"]) == ('a "b", c', "x=1")
