import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """What the environment asks for; see README.md."""

    port: int
    data: Path
    database_url: str
    with_vcenter: bool
    reload: bool

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def folder(self) -> Path:
        return self.data / "demo"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def database(self) -> Path:
        """Where the database of the demo that runs is, for programs beside it."""
        return self.folder / "database"

    @property
    def credentials(self) -> Path:
        return self.folder / "credentials.json"


def read_options(*, reload: bool) -> Options:
    return Options(
        port=int(os.environ.get("PORT") or 8000),
        data=Path(os.environ.get("DATA") or ".data").absolute(),
        database_url=os.environ.get("DATABASE_URL", ""),
        with_vcenter=os.environ.get("VCENTER", "") != "none",
        reload=reload,
    )
