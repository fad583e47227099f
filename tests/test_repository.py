"""Rules about the repository itself."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
APPS = ("gateways", "ippools", "clusters")
FORBIDDEN_NAMES = {"utils", "helpers", "common", "core", "base", "services", "managers", "signals"}
LONGEST_MODULE = 400
LONGEST_MODELS = 500


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def python_files() -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".py" and "migrations" not in path.parts]


def relative(paths: list[Path]) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in paths)


def requirement_lines(name: str) -> list[str]:
    lines = (ROOT / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def test_versions_agree_between_project_and_changelog() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_app_has_the_standard_modules() -> None:
    with_pages = {"states", "views", "urls"}
    for app in APPS:
        expected = {"models", "actions", "admin"} | (with_pages if app != "ippools" else set())
        found = {path.stem for path in (ROOT / app).iterdir()}
        assert expected - found == set(), app


def test_no_forbidden_module_names() -> None:
    ours = [path for path in python_files() if "templatetags" not in path.parts]

    assert relative([path for path in ours if path.stem in FORBIDDEN_NAMES]) == []


def test_no_module_is_too_long() -> None:
    def limit(path: Path) -> int:
        return LONGEST_MODELS if path.stem == "models" else LONGEST_MODULE

    too_long = [path for path in python_files() if len(path.read_text().splitlines()) > limit(path)]

    assert relative(too_long) == []


def test_only_the_known_packages_at_the_top() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    assert packages == {"palette_portal", *APPS, "tests"}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_direct_dependencies_are_exact_and_explained(name: str) -> None:
    for line in requirement_lines(name):
        assert re.fullmatch(r"[\w.-]+(\[[\w,]+\])?==[\w.]+ +# .+", line), line


def test_constraints_are_exact() -> None:
    for line in requirement_lines("constraints.txt"):
        assert re.fullmatch(r"[\w.-]+==[\w.]+", line), line


def test_every_template_is_used() -> None:
    """By its name in code or in another template, also as an f-string such as "gateways/_step_{key}.html"."""
    folder = ROOT / "templates"
    apps = [path for app in ("palette_portal", *APPS) for path in (ROOT / app).rglob("*.py")]
    texts = "\n".join(path.read_text() for path in (*apps, *folder.rglob("*.html")))
    mentions = set(re.findall(r"[\w/{}.-]+\.html", texts))
    patterns = [re.compile(re.sub(r"\\{.*?\\}", ".+", re.escape(mention))) for mention in mentions]
    by_django = re.compile(r"(account|allauth|admin|django)/.*|[45]\d\d\.html")

    templates = {str(path.relative_to(folder)) for path in folder.rglob("*.html")}

    unused = {name for name in templates if not any(pattern.fullmatch(name) for pattern in patterns)}
    assert {name for name in unused if not by_django.fullmatch(name)} == set()


def test_no_inline_script_or_style_in_templates() -> None:
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"<style\b|\sstyle=|\son\w+=|javascript:", text), path
        assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", text), path


def test_unfinished_work_carries_an_issue_number() -> None:
    marker = re.compile("TO" + r"DO(?!.*#\d+)|FIX" + "ME")

    assert relative([path for path in python_files() if marker.search(path.read_text())]) == []


def test_no_test_sleeps_instead_of_waiting() -> None:
    """A sleep is for a loop that waits for a condition, never for a fixed time."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        tree = ast.parse(path.read_text())
        inside_loops = {
            inner for loop in ast.walk(tree) if isinstance(loop, ast.While) for inner in ast.walk(loop)
        }
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        bad = [call for call in calls if ast.unparse(call.func) == "time.sleep" and call not in inside_loops]
        assert [call.lineno for call in bad] == [], path


def test_links_in_the_documents_lead_somewhere() -> None:
    pages = [path for path in tracked_files() if path.suffix == ".md"]
    missing = [
        (str(page.relative_to(ROOT)), target)
        for page in pages
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]

    assert missing == []


def test_every_setting_is_explained_in_the_readme() -> None:
    source = (ROOT / "palette_portal" / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"(\w+)"', source))
    explained = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE))

    assert read - explained == set()


def test_web_servers_write_no_access_log() -> None:
    """It would hold the paths of mailed links, which let their reader choose somebody's password."""
    commands = re.findall(r"^uvicorn .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    demo = (ROOT / "tests/lab/demo/programs.py").read_text()

    assert commands
    assert all("--no-access-log" in command for command in [*commands, demo])
