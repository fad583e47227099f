"""palette-instructions on a control plane node: a portal on loopback, and a kubectl that writes down."""

import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import pytest

from palette_portal.bootstrap.instructions import instruction_text
from palette_portal.bootstrap.text import dump_json, guest_file

IDENTITY = UUID("11111111-2222-4333-8444-555555555555")
MEMBERS = (
    "8e9e05c52164694d, started, gw-cp-1, https://10.0.0.5:2380, https://10.0.0.5:2379, false\n"
    "91bc3c398fb3c146, started, gw-cp-2, https://10.0.0.6:2380, https://10.0.0.6:2379, false\n"
    "fd422379fda50e48, unstarted, , https://10.0.0.7:2380, , true\n"
)
# Answers from files in its folder, fails for what is listed in `failing`, keeps the manifests it is given.
KUBECTL = """#!/bin/sh
echo "$*" >>"$LOG/calls"
if grep -qsxF -e "$*" "$LOG/failing"; then echo "error: no such luck"; exit 1; fi
case "$*" in
*"member list"*) cat "$LOG/members" ;;
*"get daemonset"*) cat "$LOG/image" 2>/dev/null ;;
"delete node"*)
    left=$(cat "$LOG/silent-for" 2>/dev/null || echo 0)
    [ "$left" -eq 0 ] || { echo $((left - 1)) >"$LOG/silent-for"; exit 1; }
    ;;
"get node"*) cat "$LOG/node" 2>/dev/null ;;
*"get configmap kubeadm-config"*) cat "$LOG/config" ;;
"replace --filename -") cat >"$LOG/replaced" ;;
"apply"*) for last; do :; done; cat "$last" >>"$LOG/applied" ;;
esac
exit 0
"""


@dataclass
class Portal:
    port: int = 0
    waiting: list[str] = field(default_factory=list)
    answers: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    status: int = 204


def _handler(portal: Portal) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/v1/machines/m-1/instructions"
            assert self.headers["Authorization"] == "Bearer t0ken"
            body = portal.waiting[0].encode() if portal.waiting else b""
            self._answer(200 if portal.waiting else 204, body)

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode(), True)
            portal.answers.append((self.path, {name: values[0] for name, values in form.items()}))
            if portal.status == 204:
                portal.waiting.pop(0)
            self._answer(portal.status, b"")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    return Handler


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(portal))
    portal.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield portal
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Guest:
    folder: Path

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    @property
    def calls(self) -> list[str]:
        return self.read("calls").splitlines()

    def run(self) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "LOG": str(self.folder),
            "PALETTE_PORTAL_COMMAND": str(self.folder / "palette-portal"),
            "PALETTE_REPORT_TARGET": str(self.folder / "report.json"),
            "PALETTE_PAUSE_SECONDS": "0",
            "PALETTE_INSTRUCTIONS_FOLDER": str(self.folder / "run"),
        }
        command = ["sh", str(self.folder / "palette-instructions")]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
        )


@pytest.fixture
def guest(tmp_path: Path, portal: Portal) -> Guest:
    url = f"http://127.0.0.1:{portal.port}/v1/machines/m-1/reports"
    target = {"url": url, "machine": "m-1", "token": "t0ken", "proxy": "", "no_proxy": ""}
    (tmp_path / "report.json").write_text(dump_json(target))
    scripts = {name: guest_file(name) for name in ("palette-portal", "palette-instructions")}
    for name, text in {**scripts, "kubectl": KUBECTL, "hostname": "#!/bin/sh\necho gw-cp-2\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    guest = Guest(tmp_path)
    guest.write("members", MEMBERS)
    return guest


def told(portal: Portal, kind: str, **arguments: Any) -> None:
    portal.waiting.append(instruction_text(IDENTITY, kind, arguments))


def test_nothing_to_do_does_nothing(guest: Guest, portal: Portal) -> None:
    done = guest.run()

    assert (done.returncode, done.stderr, guest.calls, portal.answers) == (0, "", [], [])


def test_node_leaves_drained_and_without_its_etcd_member(guest: Guest, portal: Portal) -> None:
    guest.write("node", "node/gw-cp-1\n")
    told(portal, "remove-node", name="gw-cp-1", address="10.0.0.5")

    guest.run()

    words = [call.split()[0:2] for call in guest.calls if not call.startswith("--namespace")]
    assert words == [["get", "node"], ["cordon", "gw-cp-1"], ["drain", "gw-cp-1"], ["delete", "node"]]
    assert any(call.endswith("member remove 8e9e05c52164694d") for call in guest.calls)
    assert all("exec etcd-gw-cp-2 --" in call for call in guest.calls if "member" in call)
    ((path, answer),) = portal.answers
    assert path == f"/v1/machines/m-1/instructions/{IDENTITY}"
    assert answer["state"] == "done"


def test_node_that_is_gone_already_loses_its_etcd_member(guest: Guest, portal: Portal) -> None:
    """By its address: it never came so far as to say its name."""
    told(portal, "remove-node", name="gw-cp-3", address="10.0.0.7")

    guest.run()

    assert not any(call.startswith(("cordon", "drain")) for call in guest.calls)
    assert any(call.endswith("member remove fd422379fda50e48") for call in guest.calls)
    assert portal.answers[0][1]["state"] == "done"


def test_worker_has_no_etcd_member(guest: Guest, portal: Portal) -> None:
    guest.write("node", "node/gw-w-1\n")
    told(portal, "remove-node", name="gw-w-1")

    guest.run()

    assert not any("member remove" in call for call in guest.calls)
    assert portal.answers[0][1]["state"] == "done"


def test_node_that_cannot_be_drained_stays_and_the_portal_hears_why(guest: Guest, portal: Portal) -> None:
    guest.write("node", "node/gw-w-1\n")
    flags = (
        "--ignore-daemonsets --delete-emptydir-data --force --skip-wait-for-delete-timeout=60 --timeout=300s"
    )
    guest.write("failing", f"drain gw-w-1 {flags}\n")
    told(portal, "remove-node", name="gw-w-1")

    guest.run()

    assert not any(call.startswith("delete") for call in guest.calls)
    assert portal.answers[0][1] == {"state": "failed", "message": "error: no such luck\n"}


def test_etcd_that_does_not_answer_keeps_the_node(guest: Guest, portal: Portal) -> None:
    (guest.folder / "members").unlink()
    told(portal, "remove-node", name="gw-cp-1")

    guest.write(
        "failing",
        "--namespace kube-system exec etcd-gw-cp-2 -- etcdctl --endpoints=https://127.0.0.1:2379 "
        "--cacert=/etc/kubernetes/pki/etcd/ca.crt --cert=/etc/kubernetes/pki/etcd/server.crt "
        "--key=/etc/kubernetes/pki/etcd/server.key member list\n",
    )
    guest.run()

    assert not any(call.startswith("delete") for call in guest.calls)
    assert portal.answers[0][1]["state"] == "failed"


def test_join_token_is_applied_as_a_secret(guest: Guest, portal: Portal) -> None:
    told(portal, "create-join-token", token="abcdef.0123456789abcdef")

    guest.run()

    assert "bootstrap-token-abcdef" in guest.read("applied")
    assert "0123456789abcdef" not in guest.read("calls")
    assert portal.answers[0][1]["state"] == "done"


def test_manifests_are_applied_in_order_with_every_character(guest: Guest, portal: Portal) -> None:
    contents = ["b: '$(reboot) `id` \\ é'\n", "a: 1\n"]
    manifests = [{"name": f"m-{number}", "content": text} for number, text in enumerate(contents)]
    told(portal, "apply-manifests", manifests=manifests)

    guest.run()

    assert guest.read("applied") == "".join(contents)
    assert all("--server-side --force-conflicts" in call for call in guest.calls)


def test_manifest_with_an_address_is_fetched_in_its_turn(guest: Guest, portal: Portal) -> None:
    guest.write("upstream.yaml", "b: 2\n")
    fetched = {"name": "b", "fetch": f'url = "file://{guest.folder}/upstream.yaml"\n'}
    manifests = [{"name": "a", "content": "a: 1\n"}, fetched, {"name": "c", "content": "c: 3\n"}]
    told(portal, "apply-manifests", manifests=manifests)

    guest.run()

    assert guest.read("applied") == "a: 1\nb: 2\nc: 3\n"


def test_manifest_that_cannot_be_fetched_is_told(guest: Guest, portal: Portal) -> None:
    missing = {"name": "b", "fetch": f'url = "file://{guest.folder}/nothing.yaml"\n'}
    told(portal, "apply-manifests", manifests=[missing])

    guest.run()

    assert portal.answers[0][1]["state"] == "failed"
    assert "nothing.yaml" in portal.answers[0][1]["message"]
    assert guest.calls == []


def test_manifest_that_is_refused_ends_the_row(guest: Guest, portal: Portal) -> None:
    guest.write(
        "failing", f"apply --server-side --force-conflicts --filename {guest.folder}/run/manifest-1.yaml\n"
    )
    told(portal, "apply-manifests", manifests=[{"name": "a", "content": "a"}, {"name": "b", "content": "b"}])

    guest.run()

    assert len(guest.calls) == 1
    assert portal.answers[0][1]["state"] == "failed"


def test_version_is_changed_in_the_configuration_of_kubeadm(guest: Guest, portal: Portal) -> None:
    guest.write(
        "config", "data:\n  ClusterConfiguration: |\n    a: 1\n    kubernetesVersion: v1.31.2\n    b: 2\n"
    )
    told(portal, "set-kubernetes-version", version="1.32.1")

    guest.run()

    assert "\n    a: 1\n    kubernetesVersion: v1.32.1\n    b: 2\n" in guest.read("replaced")


def test_proxy_of_the_nodes_follows_with_its_own_registry(guest: Guest, portal: Portal) -> None:
    guest.write("image", "registry.acme.test:5000/kube-proxy:v1.31.2")
    told(portal, "set-kubernetes-version", version="1.32.1", addons=True)

    guest.run()

    wanted = "kube-proxy=registry.acme.test:5000/kube-proxy:v1.32.1"
    assert guest.calls[-1] == f"--namespace kube-system set image daemonset/kube-proxy {wanted}"
    assert len(guest.calls) == 2


def test_cluster_without_that_proxy_is_left_alone(guest: Guest, portal: Portal) -> None:
    told(portal, "set-kubernetes-version", version="1.32.1", addons=True)

    guest.run()

    assert len(guest.calls) == 1
    assert portal.answers[0][1]["state"] == "done"


def test_node_is_deleted_although_the_api_is_silent_for_a_moment(guest: Guest, portal: Portal) -> None:
    guest.write("silent-for", "2")
    told(portal, "remove-node", name="gw-cp-1")

    guest.run()

    assert guest.calls.count("delete node gw-cp-1 --ignore-not-found") == 3
    assert portal.answers[0][1]["state"] == "done"


def test_labels_and_taints_are_changed_one_by_one(guest: Guest, portal: Portal) -> None:
    taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    gone = {"key": "old", "effect": "NoExecute"}
    told(
        portal,
        "change-node",
        name="w-1",
        labels={"team": "red", "old": None},
        taints=[taint],
        removed_taints=[gone],
    )

    guest.run()

    assert guest.calls == [
        "label node w-1 --overwrite team=red",
        "label node w-1 --overwrite old-",
        "taint node w-1 old:NoExecute-",
        "taint node w-1 --overwrite gpu=yes:NoSchedule",
    ]
    assert portal.answers[0][1]["state"] == "done"


def test_label_that_is_refused_fails(guest: Guest, portal: Portal) -> None:
    guest.write("failing", "label node w-1 --overwrite team=red\n")
    told(portal, "change-node", name="w-1", labels={"team": "red", "b": "c"})

    guest.run()

    assert len(guest.calls) == 1
    assert portal.answers[0][1]["state"] == "failed"


def test_one_instruction_comes_after_the_other(guest: Guest, portal: Portal) -> None:
    told(portal, "set-kubernetes-version", version="1.32.1")
    told(portal, "create-join-token", token="abcdef.0123456789abcdef")
    guest.write("config", "kubernetesVersion: v1.31.2\n")

    guest.run()

    assert [answer["state"] for _, answer in portal.answers] == ["done", "done"]
    assert portal.waiting == []


def test_unknown_instruction_fails_and_says_so(guest: Guest, portal: Portal) -> None:
    portal.waiting.append(f"id={IDENTITY}\nkind=reboot\n")

    guest.run()

    assert portal.answers[0][1] == {"state": "failed", "message": "This node does not know how to reboot.\n"}


def test_answer_that_the_portal_does_not_take_ends_the_run(guest: Guest, portal: Portal) -> None:
    portal.status = 401
    told(portal, "create-join-token", token="abcdef.0123456789abcdef")

    done = guest.run()

    assert done.returncode == 1
    assert len(portal.answers) == 1
    assert "HTTP 401" in done.stderr


def test_nothing_secret_stays_on_disk(guest: Guest, portal: Portal) -> None:
    told(portal, "create-join-token", token="abcdef.0123456789abcdef")

    guest.run()

    assert not (guest.folder / "run").exists()
