"""One node's life: boot, address, the commands of the user-data, then heartbeats and instructions."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.lab.guests.clusters import Clusters
from tests.lab.guests.documents import HEARTBEATS, INSTRUCTIONS, Command, Documents
from tests.lab.guests.faults import Fault
from tests.lab.guests.instructions import Instructions
from tests.lab.guests.link import Link
from tests.lab.guests.network import Network
from tests.lab.guests.pace import Pace
from tests.lab.guests.reports import Reporter
from tests.lab.guests.watcher import Machine

DEFAULT_KUBELET = "v1.31.2"
TOOLS_RUN = {"guest.toolsRunningStatus": "guestToolsRunning", "guest.toolsStatus": "toolsOk"}
CLOCK_IS_WRONG = (
    "error execution phase preflight: couldn't validate the identity of the API Server: "
    "x509: certificate has expired or is not yet valid: current time is before the certificate's"
)
KUBEADM_FAILED = (
    "[kubelet-check] The kubelet is not running\n"
    "error execution phase wait-control-plane: couldn't initialize a Kubernetes cluster"
)
TOKEN_UNKNOWN = (
    "error execution phase preflight: couldn't validate the identity of the API Server: "
    "could not find a JWS signature in the cluster-info ConfigMap for the token's id"
)
API_SERVER_SILENT = (
    "error execution phase preflight: couldn't validate the identity of the API Server: timed out"
)


@dataclass
class Surroundings:
    """What all guests of a player share."""

    link: Link
    network: Network
    clusters: Clusters
    pace: Pace
    say: Callable[[str], None]


@dataclass
class Guest:
    """A machine that is switched on; `off` is its power cord."""

    machine: Machine
    around: Surroundings
    faults: frozenset[Fault] = frozenset()
    off: threading.Event = field(default_factory=threading.Event)

    def pause(self, seconds: float) -> bool:
        return self.off.wait(seconds)

    def say(self, line: str) -> None:
        self.around.say(f"{self.machine.name}: {line}")

    def show(self, values: dict[str, str]) -> None:
        self.around.link.write_guest(self.machine.moid, values, stopped=self.off.is_set)

    def dhcp_address(self) -> str:
        """Its old one if it has been up all the time."""
        return self.machine.address or self.around.network.lease(self.machine.moid)

    def boot(self, host_name: str, address: str) -> bool:
        """True when the guest is up with an address."""
        if Fault.NEVER_BOOTS in self.faults:
            self.say("never boots")
            return False
        if not self.machine.address and self.pause(self.around.pace.boot_seconds):
            return False
        if Fault.NO_ADDRESS in self.faults:
            self.say("boots and gets no address")
            self.show(TOOLS_RUN | {"guest.hostName": host_name})
            return False
        self.around.network.take(address, self.machine.name)
        self.show(TOOLS_RUN | {"guest.hostName": host_name, "guest.ipAddress": address})
        self.say(f"is up at {address}")
        return not self.off.is_set()

    def switch_off(self) -> None:
        self.off.set()
        self.around.network.leave(self.machine.name)
        self.around.clusters.switched_off(self.machine.name)


class Node:
    """`done` is how many commands an earlier player has seen this node finish."""

    def __init__(
        self,
        guest: Guest,
        documents: Documents,
        *,
        done: int,
        kubelet: str,
        finished: Callable[[int, str], None],
    ) -> None:
        self._guest, self._documents, self._around = guest, documents, guest.around
        self._done, self._finished = done, finished
        self._address = documents.address or guest.dhcp_address()
        self._reporter = Reporter(documents.report, guest.pause, guest.say) if documents.report else None
        self._name = documents.host_name or guest.machine.name
        self._version = kubelet
        self._given_up = False

    def live(self) -> None:
        if not self._guest.boot(self._name, self._address):
            return
        for number, command in enumerate(self._documents.commands, start=1):
            if self._guest.off.is_set():
                return
            if number <= self._done:
                self._remember(command)
            else:
                self._run(command)
                self._note(number)
        self._stay()

    def _note(self, number: int) -> None:
        if not self._guest.off.is_set():
            self._finished(number, self._version)

    def _remember(self, command: Command) -> None:
        if command.runs("kubeadm"):
            told, name = self._documents, self._guest.machine.name
            self._around.clusters.resume(
                told.endpoint, name, is_master=told.is_control_plane, version=self._version
            )

    def _run(self, command: Command) -> None:
        if self._given_up and command.stops_on_failure:
            return
        trouble = self._execute(command)
        if self._guest.off.is_set() or not command.phase:
            return
        if trouble:
            self._given_up = True
            self._report("failed", trouble)
        else:
            self._report(command.phase)

    def _execute(self, command: Command) -> str:
        """What the command complains about; "" when it succeeds."""
        pace = self._around.pace
        if command.runs("kubeadm"):
            return self._kubeadm(command)
        if command.stops_on_failure:
            self._guest.pause(pace.step_seconds)
        return ""

    def _kubeadm(self, command: Command) -> str:
        faults, pace, off = self._guest.faults, self._around.pace, self._guest.off
        if Fault.WRONG_TIME in faults and not self._documents.has_ntp:
            return CLOCK_IS_WRONG
        is_init = command.runs("kubeadm", "init")
        if not is_init and not self._api_server_answers():
            return API_SERVER_SILENT
        self._guest.pause(pace.init_seconds if is_init else pace.join_seconds)
        if Fault.KUBEADM_FAILS in faults:
            return KUBEADM_FAILED
        return "" if off.is_set() else self._enter(is_init)

    def _enter(self, is_init: bool) -> str:
        told, clusters, name = self._documents, self._around.clusters, self._guest.machine.name
        if Fault.NEVER_DRAINS in self._guest.faults:
            clusters.never_drains(name)
        if is_init:
            version = told.kubernetes_version
            clusters.begin(told.endpoint, name, token=told.join_token, version=version)
            return ""
        known = clusters.join(told.endpoint, name, token=told.join_token, is_master=told.is_control_plane)
        return "" if known else TOKEN_UNKNOWN

    def _api_server_answers(self) -> bool:
        seconds = self._around.pace.join_timeout_seconds
        endpoint, off = self._documents.endpoint, self._guest.off.is_set
        return self._around.clusters.wait_for_api(endpoint, seconds=seconds, stopped=off)

    def _report(self, phase: str, message: str = "") -> None:
        if not self._reporter:
            return
        self._reporter.report(phase, message, address=self._address, kubelet_version=self._kubelet())
        if phase != "heartbeat":
            self._guest.say(f"reported {phase}")

    def _kubelet(self) -> str:
        """That of the image; the lab's images have what the cluster had when the node joined."""
        if not self._version:
            in_cluster = self._around.clusters.of(self._documents.endpoint).version
            self._version = self._documents.kubernetes_version or in_cluster or DEFAULT_KUBELET
        return self._version

    def _take_instructions(self) -> None:
        target = self._documents.report
        if not target or not self._documents.timer_seconds(INSTRUCTIONS):
            return
        instructions = Instructions(
            target,
            self._documents.endpoint,
            self._around.clusters,
            self._guest.pause,
            self._guest.say,
            self._around.pace.drain_seconds,
            failures=int(Fault.INSTRUCTION_FAILS in self._guest.faults),
        )
        period = self._around.pace.instruction_seconds
        name = f"instructions-{self._name}"
        threading.Thread(target=instructions.live, args=[period], name=name, daemon=True).start()

    def _stay(self) -> None:
        """Until switched off: heartbeats as the timer says; a guest that flaps is away every other time."""
        self._take_instructions()
        told = self._documents.timer_seconds(HEARTBEATS)
        period = (self._around.pace.heartbeat_seconds or told) if told else 0.0
        flaps = Fault.FLAPS in self._guest.faults
        away = False
        while not self._guest.pause(self._around.pace.flap_seconds if flaps else period or 3600):
            if flaps:
                away = not away
                self._guest.show({"guest.ipAddress": "" if away else self._address})
            if period and not away:
                self._report("heartbeat")
