import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def known() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("[a-z]*.py") if "def main()" in path.read_text())


def main() -> int:
    names = sys.argv[1:] or known()
    if unknown := set(names) - set(known()):
        sys.stderr.write(f"No benchmark {', '.join(unknown)}. There are: {', '.join(known())}.\n")
        return 2
    # One process each, because each brings its own database.
    return max(subprocess.call([sys.executable, "-m", f"tests.benchmarks.{name}"]) for name in names)


if __name__ == "__main__":
    sys.exit(main())
