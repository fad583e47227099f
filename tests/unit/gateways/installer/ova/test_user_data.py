import json
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any

from gateways import installer
from gateways.installer.ova.user_data import LOG_COMMAND, PROGRAM_FOLDER, UNIT, packed_user_data, user_data
from tests.unit.gateways.installer.factories import make_environment, make_values

PACKAGE = Path(installer.__file__).parent


def document() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(user_data().removeprefix("#cloud-config\n"))
    return read


def written_files() -> dict[str, dict[str, str]]:
    return {file["path"]: file for file in document()["write_files"]}


def unpack(folder: Path) -> None:
    """As cloud-init does, below a folder."""
    for name, file in written_files().items():
        target = folder / name.removeprefix("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file["content"])


def as_cloud_init_reads(environment: str) -> str:
    """From the OVF environment to the user-data, with cloud-init's own code and Python."""
    program = shutil.which("cloud-init")
    assert program, "cloud-init is not installed"
    interpreter = Path(program).read_text().splitlines()[0].removeprefix("#!").split()[0]
    script = (
        "import sys\n"
        "from cloudinit.sources.DataSourceOVF import read_ovf_environment\n"
        "from cloudinit.user_data import convert_string\n"
        "_, data, _ = read_ovf_environment(sys.stdin.read())\n"
        "sys.stdout.buffer.write(convert_string(data).get_payload(decode=True))\n"
    )
    done = subprocess.run(
        [interpreter, "-c", script], input=environment.encode(), capture_output=True, check=True
    )
    return done.stdout.decode()


def test_user_data_against_the_schema_of_cloud_init(tmp_path: Path) -> None:
    file = tmp_path / "user-data"
    file.write_text(user_data())

    checked = subprocess.run(
        ["cloud-init", "schema", "--config-file", str(file)], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "Valid" in checked.stdout


def test_user_data_as_cloud_init_finds_it_beside_the_properties() -> None:
    environment = make_environment({**make_values(), "user-data": packed_user_data()})

    assert as_cloud_init_reads(environment) == user_data()


def test_user_data_is_the_same_every_time() -> None:
    assert packed_user_data() == packed_user_data()


def test_every_module_of_the_agent_is_written_as_it_is() -> None:
    modules = [PACKAGE.parent / "__init__.py", *PACKAGE.glob("*.py")]

    written = written_files()

    for path in modules:
        target = PurePosixPath(PROGRAM_FOLDER) / "gateways" / path.relative_to(PACKAGE.parent)
        assert written[str(target)]["content"] == path.read_text(), path.name
    assert not [name for name in written if "/ova/" in name]


def test_unit_starts_a_file_that_is_written() -> None:
    unit = written_files()[f"/etc/systemd/system/{UNIT}"]["content"]
    command = next(line for line in unit.splitlines() if line.startswith("ExecStart=")).split()

    assert unit == (PACKAGE / UNIT).read_text()
    assert command[1] in written_files()
    assert ["systemctl", "enable", "--now", UNIT] in document()["runcmd"]


def test_user_of_the_unit_exists() -> None:
    unit = written_files()[f"/etc/systemd/system/{UNIT}"]["content"]

    (user,) = document()["users"]

    assert f"--ssh-user {user['name']}" in unit
    assert user["lock_passwd"] is True


def test_log_script_can_be_run() -> None:
    script = written_files()[LOG_COMMAND]

    assert script["permissions"] == "0755"
    assert script["content"].startswith("#!")


def test_written_agent_starts_with_nothing_else(tmp_path: Path) -> None:
    unpack(tmp_path)
    agent = tmp_path / f"{PROGRAM_FOLDER}/gateways/installer/agent.py".removeprefix("/")

    done = subprocess.run(
        [sys.executable, "-I", "-S", str(agent), "--help"], capture_output=True, text=True, cwd=tmp_path
    )

    assert done.returncode == 0, done.stderr
    assert "--ssh-user" in done.stdout
