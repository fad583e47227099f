package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	gib = int64(1) << 30
	tib = int64(1) << 40
)

// builder makes the demo inventory, in the same order each time: the same moids after a restart.
type builder struct {
	lab        *lab
	size       size
	dc         *simulator.Datacenter
	clusters   []*simulator.ClusterComputeResource
	hosts      []*simulator.HostSystem
	datastores map[string]*simulator.Datastore
	networks   []types.ManagedObjectReference
	switchUUID string
	files      string
}

// size of the inventory; other than the demo's for measurements.
type size struct {
	clusters, hosts, machines int
}

func (s *size) register(flags *flag.FlagSet) {
	flags.IntVar(&s.clusters, "clusters", 3, "compute clusters")
	flags.IntVar(&s.hosts, "hosts", 3, "hosts of each compute cluster")
	flags.IntVar(&s.machines, "machines", 0, "more virtual machines, which nobody uses")
}

func (l *lab) buildInventory(data string, wanted size) {
	b := &builder{
		lab: l, size: wanted, files: filepath.Join(data, "datastores"), datastores: map[string]*simulator.Datastore{},
	}
	b.datacenter("dc-1")
	for i := 1; i <= wanted.clusters; i++ {
		b.cluster(i)
	}
	b.network("management")
	b.distributedSwitch("dvs-1", "k8s-nodes", "k8s-storage")
	b.connectNetworks()
	b.datastore("shared-nfs-1", "NFS", 10*tib, 7*tib, b.hosts)
	for i, cluster := range b.clusters {
		b.datastore(fmt.Sprintf("%s-vmfs", cluster.Name), "VMFS", 2*tib, 1200*gib, b.hosts[i*wanted.hosts:(i+1)*wanted.hosts])
	}
	b.datastore("cluster-1-scratch", "VMFS", 500*gib, 18*gib, b.hosts[:wanted.hosts])
	b.folders()
	b.tags()
	b.crowd(wanted.machines)
}

func (b *builder) datacenter(name string) {
	created, err := methods.CreateDatacenter(context.Background(), b.lab.service, &types.CreateDatacenter{
		This: b.lab.content().RootFolder, Name: name,
	})
	must(err)
	b.dc = simulator.Map.Get(created.Returnval).(*simulator.Datacenter)
	b.networks = append(b.networks, b.dc.Network...)
}

func (b *builder) cluster(number int) {
	ctx := context.Background()
	created, err := methods.CreateClusterEx(ctx, b.lab.service, &types.CreateClusterEx{
		This: b.dc.HostFolder, Name: fmt.Sprintf("cluster-%d", number),
	})
	must(err)
	cluster := simulator.Map.Get(created.Returnval).(*simulator.ClusterComputeResource)
	for i := 1; i <= b.size.hosts; i++ {
		b.host(cluster, fmt.Sprintf("esx-%d%d.lab.example", number, i))
	}
	for _, name := range []string{"platform", "workloads"} {
		_, err = methods.CreateResourcePool(ctx, b.lab.service, &types.CreateResourcePool{
			This: *cluster.ResourcePool, Name: name, Spec: types.DefaultResourceConfigSpec(),
		})
		must(err)
	}
	summarise(cluster, b.hosts[len(b.hosts)-b.size.hosts:])
	b.clusters = append(b.clusters, cluster)
}

func (b *builder) host(cluster *simulator.ClusterComputeResource, name string) {
	added, err := methods.AddHost_Task(context.Background(), b.lab.service, &types.AddHost_Task{
		This: cluster.Self, Spec: types.HostConnectSpec{HostName: name}, AsConnected: true,
	})
	must(err)
	result, _ := b.lab.outcome(added.Returnval)
	host := simulator.Map.Get(result.(types.ManagedObjectReference)).(*simulator.HostSystem)
	hardware := host.Summary.Hardware
	hardware.CpuMhz, hardware.NumCpuCores, hardware.NumCpuThreads, hardware.MemorySize = 2600, 32, 64, 256*gib
	host.Summary.QuickStats.OverallCpuUsage = 9800
	host.Summary.QuickStats.OverallMemoryUsage = 96 * 1024
	host.Datastore, host.Network = nil, nil
	keepTime(host)
	b.hosts = append(b.hosts, host)
}

// summarise counts as vCenter does: effectiveMemory is in MB, totalMemory in bytes.
func summarise(cluster *simulator.ClusterComputeResource, hosts []*simulator.HostSystem) {
	summary := cluster.Summary.GetComputeResourceSummary()
	*summary = types.ComputeResourceSummary{OverallStatus: types.ManagedEntityStatusGreen}
	for _, host := range hosts {
		hardware := host.Summary.Hardware
		megahertz := hardware.CpuMhz * int32(hardware.NumCpuCores)
		summary.TotalCpu += megahertz
		summary.EffectiveCpu += megahertz * 95 / 100
		summary.TotalMemory += hardware.MemorySize
		summary.EffectiveMemory += hardware.MemorySize / 1024 / 1024 * 95 / 100
		summary.NumCpuCores += hardware.NumCpuCores
		summary.NumCpuThreads += hardware.NumCpuThreads
		summary.NumHosts++
		summary.NumEffectiveHosts++
	}
}

func (b *builder) network(name string) {
	_, err := methods.AddPortGroup(context.Background(), b.lab.service, &types.AddPortGroup{
		This:    *b.hosts[0].ConfigManager.NetworkSystem,
		Portgrp: types.HostPortGroupSpec{Name: name, VswitchName: "vSwitch0"},
	})
	must(err)
	b.networks = append(b.networks, childNamed(b.networkFolder(), name).Reference())
}

func (b *builder) networkFolder() *simulator.Folder {
	return simulator.Map.Get(b.dc.NetworkFolder).(*simulator.Folder)
}

func (b *builder) distributedSwitch(name string, portgroups ...string) {
	ctx := context.Background()
	created, err := methods.CreateDVS_Task(ctx, b.lab.service, &types.CreateDVS_Task{
		This: b.dc.NetworkFolder,
		Spec: types.DVSCreateSpec{ConfigSpec: &types.VMwareDVSConfigSpec{DVSConfigSpec: types.DVSConfigSpec{Name: name}}},
	})
	must(err)
	result, _ := b.lab.outcome(created.Returnval)
	dvs := simulator.Map.Get(result.(types.ManagedObjectReference)).(*simulator.DistributedVirtualSwitch)
	for _, portgroup := range portgroups {
		added, err := methods.AddDVPortgroup_Task(ctx, b.lab.service, &types.AddDVPortgroup_Task{
			This: dvs.Self, Spec: []types.DVPortgroupConfigSpec{{Name: portgroup, NumPorts: 128, Type: "earlyBinding"}},
		})
		must(err)
		_, _ = b.lab.outcome(added.Returnval)
	}
	dvs.Summary.HostMember = references(b.hosts)
	b.networks = append(b.networks, dvs.Portgroup...)
	b.switchUUID = dvs.Uuid
}

func references(hosts []*simulator.HostSystem) []types.ManagedObjectReference {
	refs := make([]types.ManagedObjectReference, len(hosts))
	for i, host := range hosts {
		refs[i] = host.Self
	}
	return refs
}

// connectNetworks gives every network to every host, each list with an array of its own.
func (b *builder) connectNetworks() {
	for _, reference := range b.networks {
		switch network := simulator.Map.Get(reference).(type) {
		case *mo.Network:
			network.Host = references(b.hosts)
		case *simulator.DistributedVirtualPortgroup:
			network.Host = references(b.hosts)
		}
	}
	for _, host := range b.hosts {
		host.Network = copied(b.networks)
	}
	for _, cluster := range b.clusters {
		cluster.Network = copied(b.networks)
	}
	b.dc.Network = copied(b.networks)
}

func copied(refs []types.ManagedObjectReference) []types.ManagedObjectReference {
	return append([]types.ManagedObjectReference{}, refs...)
}

func (b *builder) datastore(name, kind string, capacity, free int64, hosts []*simulator.HostSystem) {
	directory := filepath.Join(b.files, name)
	_ = os.RemoveAll(directory)
	must(os.MkdirAll(directory, 0o700))
	datastore := &simulator.Datastore{}
	datastore.Name = name
	datastore.Info = &types.DatastoreInfo{Name: name, Url: directory, FreeSpace: free, MaxFileSize: 64 * tib}
	datastore.Summary = types.DatastoreSummary{
		Name: name, Url: directory, Capacity: capacity, FreeSpace: free, Accessible: true, Type: kind,
		MultipleHostAccess: types.NewBool(true), MaintenanceMode: "normal",
	}
	datastore.Capability = types.DatastoreCapability{
		DirectoryHierarchySupported: true, PerFileThinProvisioningSupported: true,
		TopLevelDirectoryCreateSupported: types.NewBool(true),
	}
	folder := simulator.Map.Get(b.dc.DatastoreFolder).(*simulator.Folder)
	simulator.Map.PutEntity(folder, datastore)
	datastore.Summary.Datastore = &datastore.Self
	folder.ChildEntity = append(folder.ChildEntity, datastore.Self)
	b.dc.Datastore = append(b.dc.Datastore, datastore.Self)
	browser := &simulator.HostDatastoreBrowser{}
	browser.Datastore = []types.ManagedObjectReference{datastore.Self}
	datastore.Browser = simulator.Map.Put(browser).Reference()
	b.mount(datastore, hosts)
	b.datastores[name] = datastore
}

func (b *builder) mount(datastore *simulator.Datastore, hosts []*simulator.HostSystem) {
	for _, host := range hosts {
		host.Datastore = append(copied(host.Datastore), datastore.Self)
		datastore.Host = append(datastore.Host, types.DatastoreHostMount{
			Key: host.Self,
			MountInfo: types.HostMountInfo{
				AccessMode: "readWrite", Accessible: types.NewBool(true), Mounted: types.NewBool(true),
			},
		})
		cluster := simulator.Map.Get(*host.Parent).(*simulator.ClusterComputeResource)
		if simulator.FindReference(cluster.Datastore, datastore.Self) == nil {
			cluster.Datastore = append(cluster.Datastore, datastore.Self)
		}
	}
}

func (b *builder) tags() {
	tags := b.lab.newTagger()
	defer tags.close()
	region := tags.category("k8s-region", "Datacenter")
	zone := tags.category("k8s-zone", "ClusterComputeResource")
	tags.attach(region, "region1", b.dc.Self)
	for i, cluster := range b.clusters {
		tags.attach(zone, fmt.Sprintf("az%d", i+1), cluster.Self)
	}
}
