"""Register, then send heartbeats, for ever. A failure is a line in the log and a pause, never an exit."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from gateways.installer.backoff import Backoff
from gateways.installer.environment import read_environment
from gateways.installer.errors import InstallerError, RequestRefused, TokenRefused
from gateways.installer.options import Options
from gateways.installer.portal import Portal
from gateways.installer.rules import InstallerProperties, InvalidProperties, parse_properties
from gateways.installer.ssh import install_ssh_key
from gateways.installer.state import State, StateFile

logger = logging.getLogger("palette-installer")


@dataclass
class Installer:
    """`pause` waits the given seconds; it returns True when the program is to end."""

    options: Options
    pause: Callable[[float], bool]

    def __post_init__(self) -> None:
        self._backoff = Backoff()
        self._files = StateFile(self.options.state_folder)
        self._state = State(instance_uuid="")
        self._properties: InstallerProperties | None = None
        self._portal: Portal | None = None
        self._last_failure = ""
        self._last_gateway_state = ""

    def run(self) -> None:
        while not self.pause(self._attempt()):
            pass

    def _attempt(self) -> float:
        """Do the next thing there is to do and return how long to wait then."""
        try:
            seconds = self._next()
        except InstallerError as error:
            return self._note_failure(error)
        self._backoff.reset()
        self._last_failure = ""
        return seconds

    def _next(self) -> float:
        if self._portal is None or self._properties is None:
            self._properties, self._portal = self._prepare()
        if not self._state.is_registered:
            return self._register(self._portal, self._properties)
        return self._heartbeat(self._portal)

    def _prepare(self) -> tuple[InstallerProperties, Portal]:
        properties = _read_properties(self.options)
        self._state = self._load_state(properties.console_endpoint)
        if self.options.ssh_user and properties.ssh_public_key:
            install_ssh_key(self.options.ssh_user, properties.ssh_public_key)
        _log_properties(properties)
        return properties, Portal(properties, ip_address=self.options.ip_address)

    def _load_state(self, endpoint: str) -> State:
        state = self._files.load(self.options.instance_uuid)
        return state if state.endpoint in ("", endpoint) else state.forgotten()

    def _register(self, portal: Portal, properties: InstallerProperties) -> float:
        logger.info("Registering with %s.", properties.console_endpoint)
        answer = portal.register(instance_uuid=self._state.instance_uuid, gateway_uid=self._state.gateway_uid)
        self._state = self._state.registered(
            endpoint=properties.console_endpoint, gateway_uid=answer.gateway_uid, token=answer.token
        )
        self._files.save(self._state)
        logger.info("Registered as gateway %s. Continue on the portal with Configure.", answer.gateway_uid)
        return answer.heartbeat_seconds

    def _heartbeat(self, portal: Portal) -> float:
        try:
            answer = portal.heartbeat(gateway_uid=self._state.gateway_uid, token=self._state.token)
        except TokenRefused:
            # The next attempt registers again: the portal may have been restored, or the gateway reset.
            self._state = self._state.forgotten()
            raise
        if answer.state != self._last_gateway_state:
            logger.info("The gateway's state is %s.", answer.state)
            self._last_gateway_state = answer.state
        return answer.heartbeat_seconds

    def _note_failure(self, error: InstallerError) -> float:
        seconds = self._backoff.next_pause(transient=error.transient, at_least=error.retry_after)
        logger.warning("%s Next attempt in %.0f seconds.", error, seconds)
        if error.hint and str(error) != self._last_failure:
            logger.warning("What to do: %s", error.hint)
        self._last_failure = str(error)
        return seconds


def _read_properties(options: Options) -> InstallerProperties:
    try:
        return parse_properties(read_environment(options.ovf_environment))
    except InvalidProperties as error:
        raise RequestRefused(f"The OVF properties cannot be used. {error}") from None


def _log_properties(properties: InstallerProperties) -> None:
    logger.info(
        "Installer %s for %s; pods %s, services %s, proxy %s, own certificate %s.",
        properties.installer_name,
        properties.console_endpoint,
        properties.pod_cidr or "default",
        properties.service_cidr or "default",
        "yes" if properties.http_proxy else "no",
        "yes" if properties.certificate else "no",
    )
