"""pyVmomi carries no useful types: its names enter here, as Any, and nowhere else."""

from typing import Any

import pyVmomi
from pyVmomi import SoapAdapter, VmomiSupport

vim: Any = pyVmomi.vim  # type: ignore[attr-defined]
vmodl: Any = pyVmomi.vmodl  # type: ignore[attr-defined]
SoapStubAdapter: Any = SoapAdapter.SoapStubAdapter
service_versions: Any = VmomiSupport.GetServiceVersions
