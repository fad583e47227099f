"""A small session on a vSphere API for the lab's own programs and tests; the portal has its own client."""

import contextlib
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from pyVim.task import WaitForTask
from pyVmomi import SoapStubAdapter, vim, vmodl

DIALECT = "vim.version.v7_0"


class VSphere:
    def __init__(self, server: str, username: str, password: str, thumbprint_sha256: str = "") -> None:
        host, _, port = server.partition(":")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._username, self._password = username, password
        self._stub = SoapStubAdapter(
            host=host,
            port=int(port or 443),
            version=DIALECT,
            sslContext=context,
            thumbprint=thumbprint_sha256 or None,
            httpConnectionTimeout=60,
        )

    def __enter__(self) -> Self:
        self.instance = vim.ServiceInstance("ServiceInstance", self._stub)
        try:
            self.content = self.instance.RetrieveContent()
            self.content.sessionManager.Login(self._username, self._password)
        except BaseException:
            self.drop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop()  # what an outage has cut would fail here
        try:
            self.content.sessionManager.Logout()
        except vim.fault.NotAuthenticated:
            return
        finally:
            self.drop()

    def drop(self) -> None:
        """Close the connections without a logout."""
        self._stub.DropConnections()

    def collect(self, kind: type[Any], *paths: str) -> dict[Any, dict[str, Any]]:
        """Named properties of all objects of a kind: object -> {path: value}."""
        with self._view([kind]) as view:
            found = self.content.propertyCollector.RetrieveContents([self.view_filter(view, kind, paths)])
        return {item.obj: {change.name: change.val for change in item.propSet} for item in found}

    @contextmanager
    def _view(self, kinds: list[type[Any]]) -> Iterator[Any]:
        view = self.content.viewManager.CreateContainerView(self.content.rootFolder, kinds, True)
        try:
            yield view
        finally:
            view.DestroyView()

    @staticmethod
    def view_filter(view: Any, kind: type[Any], paths: tuple[str, ...]) -> Any:
        query = vmodl.query.PropertyCollector
        through = query.TraversalSpec(name="view", path="view", skip=False, type=vim.view.ContainerView)
        return query.FilterSpec(
            objectSet=[query.ObjectSpec(obj=view, skip=True, selectSet=[through])],
            propSet=[query.PropertySpec(type=kind, pathSet=list(paths))],
        )

    def read(self, obj: Any, *paths: str) -> dict[str, Any]:
        """Named properties of one object."""
        query = vmodl.query.PropertyCollector
        wanted = query.FilterSpec(
            objectSet=[query.ObjectSpec(obj=obj)],
            propSet=[query.PropertySpec(type=type(obj), pathSet=list(paths))],
        )
        found = self.content.propertyCollector.RetrieveContents([wanted])
        return {change.name: change.val for change in found[0].propSet}

    def find(self, kind: type[Any], name: str) -> Any:
        """The one object of this kind with this name."""
        found = [obj for obj, values in self.collect(kind, "name").items() if values["name"] == name]
        if len(found) != 1:
            raise LookupError(f"{len(found)} objects of type {kind.__name__} are called {name!r}")
        return found[0]

    def names(self, kind: type[Any]) -> list[str]:
        return sorted(values["name"] for values in self.collect(kind, "name").values())

    def machine(self, name: str) -> Any:
        return self.find(vim.VirtualMachine, name)

    def machines(self) -> list[str]:
        """Names of all virtual machines that are not templates; a name that exists twice is listed twice."""
        found = self.collect(vim.VirtualMachine, "name", "config.template").values()
        return sorted(values["name"] for values in found if not values.get("config.template"))

    @staticmethod
    def wait(task: Any) -> Any:
        """The result of a task that is waited for; its fault is raised."""
        WaitForTask(task)
        return task.info.result

    def clone(
        self,
        template: str,
        name: str,
        *,
        folder: str = "palette-gateways",
        pool: str = "",
        datastore: str = "",
        cluster: str = "cluster-1",
        config: Any = None,
        power_on: bool = False,
    ) -> Any:
        """Start to clone, as an administrator would from a template; returns the task.

        Without a name: the cluster's first datastore, which is the shared one, and its root resource pool.
        """
        place = vim.vm.RelocateSpec(
            datastore=self.datastore(cluster, datastore), pool=self.resource_pool(cluster, pool)
        )
        spec = vim.vm.CloneSpec(location=place, powerOn=power_on, template=False, config=config)
        return self.machine(template).CloneVM_Task(folder=self.find(vim.Folder, folder), name=name, spec=spec)

    def resource_pool(self, cluster: str, name: str = "") -> Any:
        """A pool of the compute cluster by name, or its root pool."""
        root = self.find(vim.ClusterComputeResource, cluster).resourcePool
        return next(pool for pool in root.resourcePool if pool.name == name) if name else root

    def datastore(self, cluster: str, name: str = "") -> Any:
        if name:
            return self.find(vim.Datastore, name)
        return self.find(vim.ClusterComputeResource, cluster).datastore[0]

    def create_machine(self, name: str, *, folder: str = "palette-gateways", power_on: bool = False) -> Any:
        """Somebody else's machine."""
        config = vim.vm.ConfigSpec(instanceUuid="")
        vm = self.wait(self.clone("r_u-2204-0-k-1303-0", name, folder=folder, config=config))
        if power_on:
            self.wait(vm.PowerOnVM_Task())
        return vm

    def set_options(self, vm: Any, options: dict[str, str]) -> None:
        """Write extraConfig; a key that begins with "SET." writes the guest in the simulator."""
        values = [vim.option.OptionValue(key=key, value=value) for key, value in options.items()]
        self.wait(vm.ReconfigVM_Task(vim.vm.ConfigSpec(extraConfig=values)))

    def rename(self, entity: Any, name: str) -> None:
        self.wait(entity.Rename_Task(name))

    def machine_ids(self) -> list[str]:
        return [vm._GetMoId() for vm in self.collect(vim.VirtualMachine, "name")]

    def remove(self, moids: list[str]) -> None:
        """Power off and destroy, whatever the state; all side by side."""
        found = self.collect(vim.VirtualMachine, "runtime.powerState").items()
        states = {vm: values["runtime.powerState"] for vm, values in found if vm._GetMoId() in moids}
        self._wait_for_all(vm.PowerOffVM_Task for vm, state in states.items() if state == "poweredOn")
        self._wait_for_all(vm.Destroy_Task for vm in states)

    def _wait_for_all(self, starts: Iterable[Callable[[], Any]]) -> None:
        """Those whose machine is gone meanwhile are left out."""
        tasks = []
        for start in starts:
            with contextlib.suppress(vmodl.fault.ManagedObjectNotFound):
                tasks.append(start())
        for task in tasks:
            with contextlib.suppress(vmodl.fault.ManagedObjectNotFound):
                self.wait(task)
