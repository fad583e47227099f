package main

import (
	"context"
	"fmt"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

// installerProperties are the OVF properties of the installer image: id, label, description, default.
var installerProperties = [][4]string{
	{"palette.installer_name", "Installer name", "Name of this gateway installer", ""},
	{"palette.console_endpoint", "Console endpoint", "Address of the management console, without a trailing slash", ""},
	{"palette.pairing_code", "Pairing code", "Code shown by the console", ""},
	{"palette.ssh_public_key", "SSH public key", "Key for a login to this VM", ""},
	{"palette.pod_cidr", "Pod CIDR", "Addresses of pods", "192.168.0.0/16"},
	{"palette.service_cidr", "Service CIDR", "Addresses of services", "10.96.0.0/12"},
	{"palette.http_proxy", "HTTP proxy", "", ""},
	{"palette.https_proxy", "HTTPS proxy", "", ""},
	{"palette.no_proxy", "No proxy", "", ""},
	{"palette.certificate", "Proxy certificate", "Base64 of the proxy's CA certificate", ""},
}

func (b *builder) folders() {
	templates := b.folder(b.dc.VmFolder, "spectro-templates")
	b.folder(b.dc.VmFolder, "palette-gateways")
	clusters := b.folder(b.dc.VmFolder, "palette-clusters")
	b.folder(clusters, "team-a")
	infrastructure := b.folder(b.dc.VmFolder, "infrastructure")

	b.template(templates, "r_u-2204-0-k-1303-0", 20)
	b.template(templates, "r_u-2204-0-k-1312-0", 20)
	b.template(templates, "r_u-2204-0-k-1323-0", 20)
	installer := b.template(templates, "palette-gateway-installer", 10)
	installer.Config.VAppConfig = ovfProperties()
	for _, name := range []string{"jump-host", "file-server"} {
		vm := b.machine(infrastructure, name, 40)
		_, _ = b.lab.powerOn(vm.Self)
	}
	// What the demo's profile names, and one to upgrade from.
	b.template(templates, "r_u-2404-0-k-1359-0", 20)
	b.template(templates, "r_u-2404-0-k-1364-0", 20)
}

// crowd fills the inventory with machines of other people, 500 to a folder.
func (b *builder) crowd(machines int) {
	var folder types.ManagedObjectReference
	for i := 0; i < machines; i++ {
		if i%500 == 0 {
			folder = b.folder(b.dc.VmFolder, fmt.Sprintf("department-%02d", i/500+1))
		}
		b.machine(folder, fmt.Sprintf("server-%04d", i+1), 1)
	}
}

func (b *builder) folder(parent types.ManagedObjectReference, name string) types.ManagedObjectReference {
	created, err := methods.CreateFolder(context.Background(), b.lab.service, &types.CreateFolder{This: parent, Name: name})
	must(err)
	return created.Returnval
}

func (b *builder) template(folder types.ManagedObjectReference, name string, diskGiB int64) *simulator.VirtualMachine {
	vm := b.machine(folder, name, diskGiB)
	_, err := methods.MarkAsTemplate(context.Background(), b.lab.service, &types.MarkAsTemplate{This: vm.Self})
	must(err)
	return vm
}

func (b *builder) machine(folder types.ManagedObjectReference, name string, diskGiB int64) *simulator.VirtualMachine {
	created, err := methods.CreateVM_Task(context.Background(), b.lab.service, &types.CreateVM_Task{
		This: folder,
		Config: types.VirtualMachineConfigSpec{
			Name: name, GuestId: string(types.VirtualMachineGuestOsIdentifierUbuntu64Guest), NumCPUs: 2, MemoryMB: 4096,
			Files:        &types.VirtualMachineFileInfo{VmPathName: "[shared-nfs-1]"},
			DeviceChange: hardware(diskGiB),
		},
		Pool: *b.clusters[0].ResourcePool, Host: &b.hosts[0].Self,
	})
	must(err)
	result, fault := b.lab.outcome(created.Returnval)
	if fault != nil {
		panic(message(fault))
	}
	return simulator.Map.Get(result.(types.ManagedObjectReference)).(*simulator.VirtualMachine)
}

func hardware(diskGiB int64) []types.BaseVirtualDeviceConfigSpec {
	controller := &types.ParaVirtualSCSIController{}
	controller.Key, controller.SharedBus = 1000, types.VirtualSCSISharingNoSharing
	disk := &types.VirtualDisk{CapacityInKB: diskGiB * gib / 1024, CapacityInBytes: diskGiB * gib}
	disk.Key, disk.ControllerKey, disk.UnitNumber = 2000, 1000, types.NewInt32(0)
	disk.Backing = &types.VirtualDiskFlatVer2BackingInfo{
		DiskMode: string(types.VirtualDiskModePersistent), ThinProvisioned: types.NewBool(true),
	}
	card := &types.VirtualVmxnet3{}
	card.Key, card.AddressType = 4000, string(types.VirtualEthernetCardMacTypeGenerated)
	card.Backing = &types.VirtualEthernetCardNetworkBackingInfo{
		VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: "VM Network"},
	}
	add := types.VirtualDeviceConfigSpecOperationAdd
	return []types.BaseVirtualDeviceConfigSpec{
		&types.VirtualDeviceConfigSpec{Operation: add, Device: controller},
		&types.VirtualDeviceConfigSpec{
			Operation: add, FileOperation: types.VirtualDeviceConfigSpecFileOperationCreate, Device: disk,
		},
		&types.VirtualDeviceConfigSpec{Operation: add, Device: card},
	}
}

func ovfProperties() *types.VmConfigInfo {
	info := &types.VmConfigInfo{OvfEnvironmentTransport: []string{"com.vmware.guestInfo"}}
	for key, property := range installerProperties {
		info.Property = append(info.Property, types.VAppPropertyInfo{
			Key: int32(key), Id: property[0], Label: property[1], Description: property[2], DefaultValue: property[3],
			Category: "Palette", Type: "string", UserConfigurable: types.NewBool(true),
		})
	}
	return info
}
