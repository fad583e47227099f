"""Sessions of processes that were killed: the next process logs out for them, and for nobody else."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from palette_portal.vsphere.records import SessionRecords
from palette_portal.vsphere.session import Credentials, Sessions, connect, keep_records
from tests.lab.vcsim import Lab

FORK = multiprocessing.get_context("fork")


def turned(text: str) -> str:
    """Not a secret, but not the text either."""
    return text[::-1]


def make_records(folder: Path) -> SessionRecords:
    return SessionRecords(folder, seal=turned, unseal=turned)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    keep_records(make_records(tmp_path / "sessions"))
    yield tmp_path / "sessions"
    keep_records(None)


def killed_with_a_session(credentials: Credentials) -> None:
    ready = FORK.Event()

    def hold() -> None:
        Sessions().get(credentials)
        ready.set()
        signal.pause()

    process = FORK.Process(target=hold)
    process.start()
    assert ready.wait(20)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join(20)


def test_session_of_a_killed_process_ends_when_another_opens_one(
    lab: Lab, credentials: Credentials, folder: Path
) -> None:
    killed_with_a_session(credentials)
    assert len(lab.sessions()) == 1

    with connect(credentials):
        assert len(lab.sessions()) == 1
        assert len(list(folder.iterdir())) == 1

    assert lab.sessions() == []
    assert list(folder.iterdir()) == []


def test_session_of_a_killed_process_ends_when_another_ends(
    lab: Lab, credentials: Credentials, folder: Path
) -> None:
    with Sessions() as sessions:
        sessions.get(credentials)
        killed_with_a_session(credentials)

    assert lab.sessions() == []


def test_session_of_a_living_process_is_left_alone(lab: Lab, credentials: Credentials, folder: Path) -> None:
    done, ready = FORK.Event(), FORK.Event()

    def hold() -> None:
        with connect(credentials):
            ready.set()
            done.wait(20)

    process = FORK.Process(target=hold)
    process.start()
    assert ready.wait(20)

    assert make_records(folder).end_those_of_the_dead() == 0

    assert len(lab.sessions()) == 1
    done.set()
    process.join(20)
    assert lab.sessions() == []


def test_forked_child_does_not_end_the_record_of_its_parent(
    lab: Lab, credentials: Credentials, folder: Path
) -> None:
    with Sessions() as sessions:
        sessions.get(credentials)
        process = FORK.Process(target=sessions.get, args=(credentials,))
        process.start()
        process.join(20)

        assert len(list(folder.iterdir())) == 1
        assert len(lab.sessions()) == 1


def test_what_is_noted_cannot_be_read_without_the_key(credentials: Credentials, folder: Path) -> None:
    with connect(credentials) as vcenter:
        (file,) = folder.iterdir()
        text = file.read_text()

        assert vcenter.stub.cookie not in text
        assert file.stat().st_mode & 0o077 == 0
        assert folder.stat().st_mode & 0o077 == 0


def test_vcenter_that_is_away_is_asked_again_later(lab: Lab, credentials: Credentials, folder: Path) -> None:
    killed_with_a_session(credentials)
    records = make_records(folder)
    lab.unreachable(60)
    assert records.end_those_of_the_dead() == 0
    lab.reachable()

    assert records.end_those_of_the_dead() == 1
    assert lab.sessions() == []


def test_logout_that_failed_is_made_up_for(lab: Lab, credentials: Credentials, folder: Path) -> None:
    with connect(credentials):
        lab.unreachable(60)
    lab.reachable()

    make_records(folder).end_those_of_the_dead()

    assert lab.sessions() == []
    assert list(folder.iterdir()) == []


def test_folder_that_cannot_be_written_does_not_stop_the_portal(
    lab: Lab, credentials: Credentials, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    keep_records(make_records(tmp_path / "file" / "sessions"))
    try:
        with connect(credentials):
            assert len(lab.sessions()) == 1
    finally:
        keep_records(None)

    assert lab.sessions() == []
