"""The vSphere client: the only place that imports pyVmomi. Plain values and our own errors come out."""
