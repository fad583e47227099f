"""python -m tests.lab.installer: deploys the gateway installer VM by hand, so to say.

The same clicks as in the vSphere Client: deploy from the template, fill in its OVF properties, power on.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from pyVmomi import vim

from tests.lab.api import VSphere

TEMPLATE = "palette-gateway-installer"


class CannotDeploy(RuntimeError):
    pass


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.installer", description=__doc__)
    parser.add_argument("--pairing-code", required=True, help="as the portal shows it")
    parser.add_argument("--name", default="gateway-installer", help="the VM's and the installer's name")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("DATA", ".data")))
    parser.add_argument("--credentials", type=Path, help="default: demo/credentials.json in the data folder")
    parser.add_argument("--console-endpoint", help="the portal's address, without a slash at the end")
    parser.add_argument("--vcenter", metavar="HOST:PORT")
    parser.add_argument("--username")
    parser.add_argument("--password")
    parser.add_argument("--folder", default="palette-gateways", help="VM folder")
    parser.add_argument("--cluster", default="cluster-1", help="compute cluster")
    parser.add_argument("--datastore", default="", help="default: the compute cluster's first one")
    parser.add_argument(
        "--property", action="append", default=[], metavar="ID=VALUE", help="another OVF property"
    )
    options = parser.parse_args()
    if not options.pairing_code.strip():
        parser.error("the pairing code is missing: make installer PAIRING_CODE=...")
    return options


def read_demo(options: argparse.Namespace) -> dict[str, Any]:
    """What `make demo` wrote; nothing where every value is given by hand."""
    path = options.credentials or options.data / "demo" / "credentials.json"
    if path.exists():
        demo: dict[str, Any] = json.loads(path.read_text())
        return demo
    if all((options.console_endpoint, options.vcenter, options.username, options.password)):
        return {}
    raise CannotDeploy(
        f"{path} does not exist: is the demo running? Start it with make demo, "
        "or give --console-endpoint, --vcenter, --username and --password."
    )


def vcenter_login(options: argparse.Namespace, demo: dict[str, Any]) -> dict[str, str]:
    given = {"server": options.vcenter, "username": options.username, "password": options.password}
    given = {name: value for name, value in given.items() if value}
    known = dict(demo.get("vcenter") or {})
    thumbprint = "" if options.vcenter else known.pop("sha256_thumbprint", "")
    known.pop("sha256_thumbprint", None)
    if not known and len(given) < 3:
        raise CannotDeploy("The demo runs without a vCenter; give --vcenter, --username and --password.")
    return {**known, "thumbprint_sha256": thumbprint, **given}


def ovf_properties(options: argparse.Namespace, console_endpoint: str) -> dict[str, str]:
    values = {
        "palette.installer_name": options.name,
        "palette.console_endpoint": console_endpoint,
        "palette.pairing_code": options.pairing_code.strip(),
    }
    for extra in options.property:
        name, _, value = extra.partition("=")
        values[name] = value
    return values


def deploy(vcenter: VSphere, options: argparse.Namespace, values: dict[str, str]) -> Any:
    say(f"Deploying {options.name} from the template {TEMPLATE} to {options.cluster}")
    vm = vcenter.wait(
        vcenter.clone(
            TEMPLATE,
            options.name,
            folder=options.folder,
            cluster=options.cluster,
            datastore=options.datastore,
        )
    )
    say("Filling in the OVF properties: " + ", ".join(sorted(values)))
    set_properties(vcenter, vm, values)
    say("Powering on")
    vcenter.wait(vm.PowerOnVM_Task())
    return vm


def set_properties(vcenter: VSphere, vm: Any, values: dict[str, str]) -> None:
    """As vApp properties; where the server keeps none, as the environment that the guest would read."""
    config = vcenter.read(vm, "config.vAppConfig").get("config.vAppConfig")
    known = {item.id: item.key for item in config.property} if config else {}
    if not known:
        from tests.lab.guests.installer_vm import ovf_environment

        vcenter.set_options(vm, {"guestinfo.ovfEnv": ovf_environment(values)})
        return
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise CannotDeploy(f"The template has no property {', '.join(unknown)}.")
    edits = [
        vim.vApp.PropertySpec(
            operation="edit", info=vim.vApp.PropertyInfo(key=known[name], id=name, value=value)
        )
        for name, value in values.items()
    ]
    vcenter.wait(vm.ReconfigVM_Task(vim.vm.ConfigSpec(vAppConfig=vim.vApp.VmConfigSpec(property=edits))))


def say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    options = arguments()
    try:
        demo = read_demo(options)
        endpoint = (options.console_endpoint or demo.get("url", "")).rstrip("/")
        login = vcenter_login(options, demo)
        with VSphere(**login) as vcenter:
            deploy(vcenter, options, ovf_properties(options, endpoint))
    except CannotDeploy as reason:
        say(str(reason))
        return 1
    except vim.fault.DuplicateName:
        say(f"A machine called {options.name} exists already: give another NAME, or delete it in vCenter.")
        return 1
    except (OSError, LookupError, vim.fault.InvalidLogin) as error:
        say(f"vCenter {login['server']}: {error.msg if isinstance(error, vim.fault.InvalidLogin) else error}")
        return 1
    say(f"Done. The installer starts now and registers with {endpoint}; the page shows it within seconds.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
