import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from palette_portal.launcher.postgres import EmbeddedPostgres, PostgresFailed

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a unix socket's path must be."""
    made = Path(tempfile.mkdtemp(prefix="pg-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(folder)
    made.start()
    yield made
    made.destroy()


def insert(server: EmbeddedPostgres, value: int) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value int)")
        connection.execute("INSERT INTO kept VALUES (%s)", [value])


def values(server: EmbeddedPostgres) -> list[int]:
    with psycopg.connect(server.url) as connection:
        return [row[0] for row in connection.execute("SELECT value FROM kept ORDER BY value")]


def test_data_after_a_stop_and_a_second_start(server: EmbeddedPostgres) -> None:
    insert(server, 1)

    server.stop()
    server.start()

    assert values(server) == [1]


def test_committed_data_after_kill_9(server: EmbeddedPostgres) -> None:
    insert(server, 1)
    with psycopg.connect(server.url) as uncommitted:
        uncommitted.execute("INSERT INTO kept VALUES (2)")

        server.kill()
        server.start()

        assert values(server) == [1]
        with pytest.raises(psycopg.OperationalError):
            uncommitted.execute("SELECT 1")


def test_start_after_its_starter_was_killed_with_9(folder: Path) -> None:
    program = (
        "import os, pathlib, signal, sys\n"
        "from palette_portal.launcher.postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(pathlib.Path(sys.argv[1]))\n"
        "server.start()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], check=False, cwd=ROOT, timeout=60)
    server = EmbeddedPostgres(folder)

    server.start()

    insert(server, 1)
    assert values(server) == [1]
    server.destroy()


def test_start_after_an_interrupted_first_start(folder: Path) -> None:
    half_done = folder / "data.new"
    half_done.mkdir()
    (half_done / "PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(folder)

    server.start()

    insert(server, 1)
    server.destroy()


def test_second_starter_on_the_same_folder(server: EmbeddedPostgres, folder: Path) -> None:
    with pytest.raises(PostgresFailed, match="Another process uses the data folder"):
        EmbeddedPostgres(folder).start()


def test_data_of_another_major_version(server: EmbeddedPostgres, folder: Path) -> None:
    server.stop()
    (folder / "data" / "PG_VERSION").write_text("12\n")

    with pytest.raises(PostgresFailed, match=r"written by PostgreSQL 12.*PG_BIN to a PostgreSQL 12"):
        EmbeddedPostgres(folder).start()


def test_server_that_cannot_start_tells_why(folder: Path) -> None:
    server = EmbeddedPostgres(folder, options={"shared_buffers": "nonsense"})

    with pytest.raises(PostgresFailed, match="nonsense"):
        server.start(seconds=5)


def test_folder_too_deep_for_a_socket(folder: Path) -> None:
    server = EmbeddedPostgres(folder / ("deep" * 25))

    server.start()

    insert(server, 1)
    server.destroy()


def test_folder_name_with_odd_characters(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "a b%20&c=ü")

    server.start()

    insert(server, 1)
    server.destroy()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")
def test_folder_that_the_other_account_cannot_enter(folder: Path) -> None:
    folder.chmod(0o700)
    server = EmbeddedPostgres(folder / "postgres")

    server.start()

    insert(server, 1)
    assert (folder / "postgres" / "elsewhere" / "data" / "PG_VERSION").exists()
    server.destroy()


def test_wrong_password_is_refused(server: EmbeddedPostgres) -> None:
    password = server.url.split(":")[2].split("@")[0]

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url.replace(password, "guess"))


def test_no_tcp_port_is_opened(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url) as connection:
        (addresses,) = connection.execute("SHOW listen_addresses").fetchone() or ("?",)

    assert addresses == ""
