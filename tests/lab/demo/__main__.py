"""See the package's docstring. Order: PostgreSQL, schema and people, vCenter and guests, web, workers."""

import argparse
import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict

from palette_portal.launcher.postgres import EmbeddedPostgres, PostgresFailed
from palette_portal.launcher.processes import die_with_parent
from palette_portal.launcher.tree import ProcessTree
from tests.lab.demo.installer_ova import pack_installer
from tests.lab.demo.keepsakes import Keepsakes, becomes_free, load_keepsakes, write_private
from tests.lab.demo.options import Options, read_options
from tests.lab.demo.programs import (
    NotReady,
    Programs,
    background_services,
    postgres_service,
    web_service,
)
from tests.lab.demo.vcenter import VCenter, VCenterFacts

STARTED = time.monotonic()


def main() -> int:
    arguments = argparse.ArgumentParser(prog="make demo", description="The portal with a simulated vCenter.")
    arguments.add_argument("--reload", action="store_true", help="reload pages when a file changes")
    options = read_options(reload=arguments.parse_args().reload)
    if "MAKELEVEL" in os.environ:  # make is our parent: kill -9 of it must end us too
        die_with_parent(signal.SIGTERM)
    try:
        with alone(options), ProcessTree(say=say) as tree:
            start_everything(options, tree)
            tree.run()
    except (NotReady, PostgresFailed) as error:
        say(str(error))
        return 1
    say("All processes have ended. Data stays in " + str(options.data))
    return 0


def say(line: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone
        print(f"[{time.monotonic() - STARTED:6.1f} s] {line}", flush=True)


@contextlib.contextmanager
def alone(options: Options) -> Iterator[None]:
    """One demo per data folder and port; the lock goes with the process, however it ends."""
    options.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (options.folder / "lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotReady(f"A demo with the data folder {options.data} is running already.") from None
        if not becomes_free(options.port):
            raise NotReady(f"Port {options.port} is taken by another program. Try: make demo PORT=8001")
        yield


def start_everything(options: Options, tree: ProcessTree) -> None:
    keepsakes = load_keepsakes(options.folder)
    database_url = options.database_url or start_database(options, tree)
    write_private(options.database, {"url": database_url})
    programs = Programs(environment=environment(options, keepsakes, database_url), logs=options.logs)
    simulator = VCenter(tree, programs, keepsakes, options) if options.with_vcenter else None
    users = prepare_people(options, programs)
    vcenter = wait_for_vcenter(simulator, keepsakes) if simulator else None
    say("Starting web, workers and dispatcher")
    for service in background_services(programs):
        tree.start(service)
    tree.start(web_service(programs, port=options.port, reload=options.reload))
    write_credentials(options, users, vcenter)
    tell_what_next(options, users, vcenter)


def wait_for_vcenter(simulator: VCenter, keepsakes: Keepsakes) -> VCenterFacts:
    say("Starting the simulated vCenter (built once, half a minute)")
    facts = simulator.wait_ready()
    if not facts.server.endswith(f":{keepsakes.vcenter_port}"):
        say(f"Port {keepsakes.vcenter_port} is taken; vCenter moved to {facts.server} for this time")
    return facts


def start_database(options: Options, tree: ProcessTree) -> str:
    say("Starting PostgreSQL")
    server = EmbeddedPostgres(options.data / "postgres")
    server.prepare()
    tree.start(postgres_service(server), server.launch())
    return server.url


def environment(options: Options, keepsakes: Keepsakes, database_url: str) -> dict[str, str]:
    # Its disk is empty: nothing to offer for a vCenter that is not simulated.
    installer = (
        {"GATEWAY_INSTALLER_FILE": str(pack_installer(options.folder))} if options.with_vcenter else {}
    )
    return installer | {
        "DJANGO_SETTINGS_MODULE": "palette_portal.settings",
        "SECRET_KEY": keepsakes.secret_key,
        "ENCRYPTION_KEYS": keepsakes.encryption_keys,
        "DATABASE_URL": database_url,
        "DATA": str(options.data),
        "PUBLIC_URL": options.url,
        "STATIC_FROM_SOURCE": "1",
        "DEBUG": "1" if options.reload else "0",
        "PYTHONUNBUFFERED": "1",
    }


def prepare_people(options: Options, programs: Programs) -> list[dict[str, str]]:
    say("Bringing the database up to date")
    known = {}
    if options.credentials.exists():
        users = json.loads(options.credentials.read_text())["users"]
        known = {user["email"]: user["password"] for user in users}
    answer = programs.run("tests.lab.demo.database", stdin=json.dumps(known))
    people: list[dict[str, str]] = json.loads(answer)
    return people


def write_credentials(options: Options, users: list[dict[str, str]], vcenter: VCenterFacts | None) -> None:
    content = {"url": options.url, "users": users, "vcenter": asdict(vcenter) if vcenter else None}
    write_private(options.credentials, content)


def tell_what_next(options: Options, users: list[dict[str, str]], vcenter: VCenterFacts | None) -> None:
    say("Ready. Logs are in " + str(options.logs))
    lines = ["", f"  Palette Portal   {options.url}", ""]
    lines += [f"  {user['role']:<16} {user['email']:<22} {user['password']}" for user in users]
    if vcenter:
        lines += ["", *vcenter.lines()]
    lines += ["", *next_steps(vcenter), "", "  Ctrl-C ends everything."]
    print("\n".join(lines), flush=True)


def next_steps(vcenter: VCenterFacts | None) -> list[str]:
    if vcenter is None:
        return ["  Next: sign in as the Tenant Admin and create a private cloud gateway for your vCenter."]
    return [
        "  Next: 1. Sign in as the Tenant Admin; Tenant Settings, Private Cloud Gateways, Create.",
        "        2. In another terminal, what a vSphere admin would do by hand:",
        "           make installer PAIRING_CODE=<the code that the page shows>",
        "           (The page's installer file is real, but its disk is empty: nothing boots here.)",
        "        3. Configure the gateway in the browser with the vCenter login above.",
    ]


if __name__ == "__main__":
    sys.exit(main())
