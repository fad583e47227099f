"""Several programs as one foreground process: what ends unasked is started again, and all end together."""

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType, TracebackType

from palette_portal.launcher.processes import signal_group

Process = subprocess.Popen[bytes]

END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
RESTART_AT_ONCE = 75  # EX_TEMPFAIL: the program asks for a fresh start
SOONEST_SECONDS, LATEST_SECONDS = 0.3, 10.0
STEADY_SECONDS = 20.0


def _is_ready(process: Process) -> None:
    return None


@dataclass(frozen=True)
class Service:
    name: str
    spawn: Callable[[], Process]
    wait_ready: Callable[[Process], None] = _is_ready
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 6.0
    # Services of a lower stage are stopped first: 1 uses 2.
    stage: int = 1


@dataclass
class _Running:
    service: Service
    process: Process
    started: float = field(default_factory=time.monotonic)
    failures: int = 0
    restart_at: float | None = None


class ProcessTree:
    """`with ProcessTree() as tree`: start services, then `run()`. Ctrl-C or SIGTERM ends them all."""

    def __init__(self, *, say: Callable[[str], None] = print) -> None:
        self._say = say
        self._running: list[_Running] = []

    def __enter__(self) -> "ProcessTree":
        for number in END:
            signal.signal(number, _interrupt)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> bool:
        for number in END:
            signal.signal(number, signal.SIG_IGN)
        self.stop()
        return kind is KeyboardInterrupt

    def start(self, service: Service, process: Process | None = None) -> Process:
        """Start `service`, or take over its `process`, and wait until it is ready for use."""
        running = _Running(service, process or service.spawn())
        self._running.append(running)
        service.wait_ready(running.process)
        return running.process

    def run(self) -> None:
        """Keep everything running until a signal says stop."""
        while True:
            self.look_after()
            time.sleep(0.2)

    def look_after(self) -> None:
        """One round: notice what ended, start again what is due."""
        now = time.monotonic()
        for running in self._running:
            if running.restart_at is not None and now >= running.restart_at:
                self._restart(running)
            elif running.restart_at is None and running.process.poll() is not None:
                self._plan_restart(running, now)

    def stop(self) -> None:
        """Stop stage by stage; whoever does not listen is killed, with everything it started."""
        for stage in sorted({running.service.stage for running in self._running}):
            self._stop_stage([running for running in self._running if running.service.stage == stage])
        self._running.clear()

    def _plan_restart(self, running: _Running, now: float) -> None:
        signal_group(running.process, signal.SIGKILL)
        code = running.process.returncode
        if code == RESTART_AT_ONCE or now - running.started > STEADY_SECONDS:
            running.failures = 0
        delay = min(SOONEST_SECONDS * 2**running.failures, LATEST_SECONDS)
        running.failures += 1
        running.restart_at = now + delay
        self._say(f"{running.service.name} ended ({_reason(code)}); starting it again in {delay:.1f} s")

    def _restart(self, running: _Running) -> None:
        running.process = running.service.spawn()
        running.started = time.monotonic()
        running.restart_at = None

    def _stop_stage(self, stage: list[_Running]) -> None:
        for running in stage:
            if running.process.poll() is None:
                running.process.send_signal(running.service.stop_signal)
        began = time.monotonic()
        for running in stage:
            left = began + running.service.stop_seconds - time.monotonic()
            try:
                running.process.wait(max(left, 0.05))
            except subprocess.TimeoutExpired:
                self._say(f"{running.service.name} does not end; killing it")
            signal_group(running.process, signal.SIGKILL)
            running.process.wait()


def _reason(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
