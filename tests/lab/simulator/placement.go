package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

func (l *lab) poolFor(template *simulator.VirtualMachine, request *types.CloneVM_Task) *types.ManagedObjectReference {
	if request.Spec.Location.Pool != nil {
		return request.Spec.Location.Pool
	}
	return template.ResourcePool
}

func (l *lab) datastoreFor(template *simulator.VirtualMachine, request *types.CloneVM_Task) *simulator.Datastore {
	if wanted := request.Spec.Location.Datastore; wanted != nil {
		return simulator.Map.Get(*wanted).(*simulator.Datastore)
	}
	return simulator.Map.Get(template.Datastore[0]).(*simulator.Datastore)
}

// hostFor is the host with the fewest machines in the pool's compute cluster that mounts the datastore.
func hostFor(pool *types.ManagedObjectReference, datastore *simulator.Datastore) *simulator.HostSystem {
	owner := simulator.Map.Get(*pool).(*simulator.ResourcePool).Owner
	cluster, ok := simulator.Map.Get(owner).(*simulator.ClusterComputeResource)
	if !ok {
		return nil
	}
	var best *simulator.HostSystem
	for _, reference := range cluster.Host {
		host := simulator.Map.Get(reference).(*simulator.HostSystem)
		if simulator.FindReference(host.Datastore, datastore.Self) == nil {
			continue
		}
		if best == nil || len(host.Vm) < len(best.Vm) {
			best = host
		}
	}
	return best
}

func checkSpace(datastore *simulator.Datastore, spec types.VirtualMachineConfigSpec) types.BaseMethodFault {
	var needed int64
	for _, change := range spec.DeviceChange {
		if disk, ok := change.GetVirtualDeviceConfigSpec().Device.(*types.VirtualDisk); ok {
			needed += disk.CapacityInKB * 1024
		}
	}
	var free int64
	simulator.Map.WithLock(datastore, func() { free = datastore.Summary.FreeSpace })
	if needed > free {
		return &types.NoDiskSpace{
			FileFault: types.FileFault{File: "[" + datastore.Name + "] " + spec.Name}, Datastore: datastore.Name,
		}
	}
	return nil
}
