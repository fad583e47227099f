package main

import (
	"bytes"
	"context"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"
)

// A clone as vCenter makes it. The library's own clone keeps the template's hardware, shares its devices with
// the template and accepts a name twice; this one creates a machine from the template's configuration instead.

func (l *lab) checkClone(template *simulator.VirtualMachine, request *types.CloneVM_Task) types.BaseMethodFault {
	folder, ok := simulator.Map.Get(request.Folder).(*simulator.Folder)
	if !ok {
		return &types.ManagedObjectNotFound{Obj: request.Folder}
	}
	if l.poolFor(template, request) == nil {
		return &types.InvalidArgument{InvalidProperty: "spec.location.pool"}
	}
	if existing := childNamed(folder, request.Name); existing != nil {
		return &types.DuplicateName{Name: request.Name, Object: existing.Reference()}
	}
	if !l.reserve(nameKey(request)) {
		return &types.DuplicateName{Name: request.Name, Object: folder.Self}
	}
	return nil
}

func nameKey(request *types.CloneVM_Task) string { return request.Folder.Value + "/" + request.Name }

func childNamed(folder *simulator.Folder, name string) mo.Entity {
	var children []types.ManagedObjectReference
	simulator.Map.WithLock(folder, func() { children = append(children, folder.ChildEntity...) })
	for _, child := range children {
		if entity, ok := simulator.Map.Get(child).(mo.Entity); ok && entity.Entity().Name == name {
			return entity
		}
	}
	return nil
}

func (l *lab) reserve(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reserved[key] {
		return false
	}
	l.reserved[key] = true
	return true
}

func (l *lab) release(key string) {
	l.mu.Lock()
	delete(l.reserved, key)
	l.mu.Unlock()
}

func (l *lab) clone(template *simulator.VirtualMachine, request *types.CloneVM_Task) (types.AnyType, types.BaseMethodFault) {
	l.placing.Lock() // hosts and free space are counted, then taken
	defer l.placing.Unlock()
	pool, datastore := l.poolFor(template, request), l.datastoreFor(template, request)
	host := hostFor(pool, datastore)
	if host == nil {
		return nil, &types.InvalidDatastorePath{
			InvalidDatastore: types.InvalidDatastore{Datastore: &datastore.Self, Name: datastore.Name},
			DatastorePath:    "[" + datastore.Name + "]",
		}
	}
	wanted := &types.VirtualMachineConfigSpec{}
	if request.Spec.Config != nil {
		wanted = request.Spec.Config
	}
	spec := l.cloneSpec(template, request, wanted, datastore)
	if fault := checkSpace(datastore, spec); fault != nil {
		return nil, fault
	}
	created, err := methods.CreateVM_Task(context.Background(), l.service, &types.CreateVM_Task{
		This: request.Folder, Config: spec, Pool: *pool, Host: &host.Self,
	})
	if err != nil {
		return nil, faultOf(err)
	}
	result, fault := l.outcome(created.Returnval)
	if fault != nil {
		return nil, fault
	}
	vm := simulator.Map.Get(result.(types.ManagedObjectReference)).(*simulator.VirtualMachine)
	l.finishClone(vm, template, wanted)
	if request.Spec.PowerOn {
		_, fault = l.powerOn(vm.Self)
	}
	return result, fault
}

func (l *lab) cloneSpec(
	template *simulator.VirtualMachine, request *types.CloneVM_Task, wanted *types.VirtualMachineConfigSpec, datastore *simulator.Datastore,
) types.VirtualMachineConfigSpec {
	spec := *wanted
	spec.Name = request.Name
	spec.Uuid, spec.VAppConfig = "", nil
	spec.Files = &types.VirtualMachineFileInfo{VmPathName: "[" + datastore.Name + "]"}
	simulator.Map.WithLock(template, func() {
		hardware := template.Config.Hardware
		spec.GuestId = or(spec.GuestId, template.Config.GuestId)
		spec.Annotation = or(spec.Annotation, template.Config.Annotation)
		spec.Firmware = or(spec.Firmware, template.Config.Firmware)
		if spec.NumCPUs == 0 {
			spec.NumCPUs = hardware.NumCPU
		}
		if spec.MemoryMB == 0 {
			spec.MemoryMB = int64(hardware.MemoryMB)
		}
		changes := append(append([]types.BaseVirtualDeviceConfigSpec{}, request.Spec.Location.DeviceChange...), wanted.DeviceChange...)
		spec.DeviceChange = clonedDevices(hardware.Device, changes)
		spec.ExtraConfig = append(mergeOptions(template.Config.ExtraConfig, ordinary(wanted.ExtraConfig)), guestOnly(wanted.ExtraConfig)...)
	})
	return spec
}

// clonedDevices are copies of the template's devices with the caller's changes made to them.
func clonedDevices(devices []types.BaseVirtualDevice, changes []types.BaseVirtualDeviceConfigSpec) []types.BaseVirtualDeviceConfigSpec {
	standard := object.VirtualDeviceList(esx.VirtualDevice)
	kept := []types.BaseVirtualDevice{}
	for _, device := range copyDevices(devices) {
		if standard.FindByKey(device.GetVirtualDevice().Key) == nil {
			kept = append(kept, device)
		}
	}
	for _, change := range changes {
		kept = changed(kept, change.GetVirtualDeviceConfigSpec())
	}
	specs := make([]types.BaseVirtualDeviceConfigSpec, len(kept))
	for i, device := range kept {
		specs[i] = fresh(device)
	}
	return specs
}

func changed(devices []types.BaseVirtualDevice, change *types.VirtualDeviceConfigSpec) []types.BaseVirtualDevice {
	wanted := change.Device.GetVirtualDevice()
	if change.Operation == types.VirtualDeviceConfigSpecOperationAdd {
		return append(devices, change.Device)
	}
	kept := []types.BaseVirtualDevice{}
	for _, device := range devices {
		have := device.GetVirtualDevice()
		if have.Key != wanted.Key {
			kept = append(kept, device)
			continue
		}
		if change.Operation == types.VirtualDeviceConfigSpecOperationEdit {
			inherit(change.Device, device)
			kept = append(kept, change.Device)
		}
	}
	return kept
}

// inherit fills what an edit may leave out with what the device has.
func inherit(edit, have types.BaseVirtualDevice) {
	to, from := edit.GetVirtualDevice(), have.GetVirtualDevice()
	if to.ControllerKey == 0 {
		to.ControllerKey = from.ControllerKey
	}
	if to.UnitNumber == nil {
		to.UnitNumber = from.UnitNumber
	}
	if to.Backing == nil {
		to.Backing = from.Backing
	}
	if disk, ok := edit.(*types.VirtualDisk); ok {
		completeDisk(disk, have)
	}
	if card, ok := edit.(types.BaseVirtualEthernetCard); ok && card.GetVirtualEthernetCard().MacAddress == "" {
		if old, same := have.(types.BaseVirtualEthernetCard); same {
			card.GetVirtualEthernetCard().MacAddress = old.GetVirtualEthernetCard().MacAddress
		}
	}
}

func completeDisk(disk *types.VirtualDisk, have types.BaseVirtualDevice) {
	old, ok := have.(*types.VirtualDisk)
	if !ok {
		return
	}
	if disk.CapacityInKB == 0 {
		disk.CapacityInKB = disk.CapacityInBytes / 1024
	}
	if disk.CapacityInKB == 0 {
		disk.CapacityInKB = old.CapacityInKB
	}
	disk.CapacityInBytes = disk.CapacityInKB * 1024
	file, isFile := disk.Backing.(types.BaseVirtualDeviceFileBackingInfo)
	oldFile, wasFile := old.Backing.(types.BaseVirtualDeviceFileBackingInfo)
	if isFile && wasFile {
		info := file.GetVirtualDeviceFileBackingInfo()
		info.FileName = or(info.FileName, oldFile.GetVirtualDeviceFileBackingInfo().FileName)
	}
}

// fresh makes the device new for the clone: own file, own MAC address.
func fresh(device types.BaseVirtualDevice) *types.VirtualDeviceConfigSpec {
	spec := &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: device}
	switch d := device.(type) {
	case *types.VirtualDisk:
		spec.FileOperation = types.VirtualDeviceConfigSpecFileOperationCreate
		if backing, ok := d.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok {
			backing.FileName, backing.Datastore, backing.Parent = "", nil, nil
		}
		if d.CapacityInBytes == 0 {
			d.CapacityInBytes = d.CapacityInKB * 1024
		}
		d.CapacityInKB = d.CapacityInBytes / 1024
		d.DeviceInfo = nil
	case types.BaseVirtualEthernetCard:
		card := d.GetVirtualEthernetCard()
		if card.AddressType != string(types.VirtualEthernetCardMacTypeManual) {
			card.MacAddress = ""
		}
		card.DeviceInfo = nil
	}
	return spec
}

func copyDevices(devices []types.BaseVirtualDevice) []types.BaseVirtualDevice {
	encoded, err := xml.Marshal(types.VirtualHardware{Device: devices})
	must(err)
	decoder := xml.NewDecoder(bytes.NewReader(encoded))
	decoder.TypeFunc = types.TypeFunc()
	var copied types.VirtualHardware
	must(decoder.Decode(&copied))
	return copied.Device
}

// finishClone sets what the simulator does not take from a configuration.
func (l *lab) finishClone(vm, template *simulator.VirtualMachine, wanted *types.VirtualMachineConfigSpec) {
	var properties types.BaseVmConfigInfo
	simulator.Map.WithLock(template, func() { properties = template.Config.VAppConfig })
	changes := map[string]interface{}{
		"config.extraConfig":        mergeOptions(vm.Config.ExtraConfig, nil),
		"summary.config.annotation": vm.Config.Annotation,
		"guest.toolsStatus":         types.VirtualMachineToolsStatusToolsNotRunning,
		"guest.toolsRunningStatus":  string(types.VirtualMachineToolsRunningStatusGuestToolsNotRunning),
	}
	if merged := mergeProperties(properties, wanted.VAppConfig); merged != nil {
		changes["config.vAppConfig"] = merged
	}
	change(vm, changes)
}

// reconfigure does what the library leaves out: extraConfig is replaced and removed by key, vApp properties.
func (l *lab) reconfigure(vm *simulator.VirtualMachine, request *types.ReconfigVM_Task) (types.AnyType, types.BaseMethodFault) {
	spec := request.Spec
	if hot := spec.NumCPUs != 0 || spec.MemoryMB != 0; hot && vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
		return nil, &types.InvalidPowerState{
			RequestedState: types.VirtualMachinePowerStatePoweredOff, ExistingState: vm.Runtime.PowerState,
		}
	}
	extra, properties := spec.ExtraConfig, spec.VAppConfig
	spec.ExtraConfig, spec.VAppConfig = guestOnly(extra), nil
	completeEdits(vm, spec.DeviceChange)
	done, err := methods.ReconfigVM_Task(context.Background(), l.service, &types.ReconfigVM_Task{This: vm.Self, Spec: spec})
	if err != nil {
		return nil, faultOf(err)
	}
	if _, fault := l.outcome(done.Returnval); fault != nil {
		return nil, fault
	}
	changes := map[string]interface{}{
		"config.extraConfig":        mergeOptions(vm.Config.ExtraConfig, ordinary(extra)),
		"summary.config.annotation": vm.Config.Annotation,
	}
	if merged := mergeProperties(vm.Config.VAppConfig, properties); merged != nil {
		changes["config.vAppConfig"] = merged
	}
	change(vm, changes)
	return nil, nil
}

func completeEdits(vm *simulator.VirtualMachine, changes []types.BaseVirtualDeviceConfigSpec) {
	devices := object.VirtualDeviceList(vm.Config.Hardware.Device)
	for _, item := range changes {
		edit := item.GetVirtualDeviceConfigSpec()
		have := devices.FindByKey(edit.Device.GetVirtualDevice().Key)
		if edit.Operation != types.VirtualDeviceConfigSpecOperationEdit || have == nil {
			continue
		}
		inherit(edit.Device, have)
		edit.Device.GetVirtualDevice().DeviceInfo = &types.Description{}
		giveBack(have)
	}
}

// giveBack frees the space of a disk that is about to be counted again with its new size.
func giveBack(device types.BaseVirtualDevice) {
	disk, ok := device.(*types.VirtualDisk)
	if !ok {
		return
	}
	backing, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	if !ok || backing.Datastore == nil {
		return
	}
	if datastore, found := simulator.Map.Get(*backing.Datastore).(*simulator.Datastore); found {
		simulator.Map.WithLock(datastore, func() {
			datastore.Summary.FreeSpace += disk.CapacityInKB * 1024
			datastore.Info.GetDatastoreInfo().FreeSpace = datastore.Summary.FreeSpace
		})
	}
}

func (l *lab) powerOn(vm types.ManagedObjectReference) (types.AnyType, types.BaseMethodFault) {
	done, err := methods.PowerOnVM_Task(context.Background(), l.service, &types.PowerOnVM_Task{This: vm})
	if err != nil {
		return nil, faultOf(err)
	}
	return l.outcome(done.Returnval)
}

func (l *lab) powerOff(vm *simulator.VirtualMachine) (types.AnyType, types.BaseMethodFault) {
	done, err := methods.PowerOffVM_Task(context.Background(), l.service, &types.PowerOffVM_Task{This: vm.Self})
	if err != nil {
		return nil, faultOf(err)
	}
	result, fault := l.outcome(done.Returnval)
	if fault == nil {
		change(vm, map[string]interface{}{
			"guest.ipAddress":          "",
			"guest.net":                silent(vm.Guest.Net),
			"guest.toolsRunningStatus": string(types.VirtualMachineToolsRunningStatusGuestToolsNotRunning),
			"summary.guest.ipAddress":  "",
		})
	}
	return result, fault
}

func silent(nics []types.GuestNicInfo) []types.GuestNicInfo {
	quiet := append([]types.GuestNicInfo{}, nics...)
	for i := range quiet {
		quiet[i].IpAddress = nil
	}
	return quiet
}

func (l *lab) destroy(vm types.ManagedObjectReference) (types.AnyType, types.BaseMethodFault) {
	done, err := methods.Destroy_Task(context.Background(), l.service, &types.Destroy_Task{This: vm})
	if err != nil {
		return nil, faultOf(err)
	}
	return l.outcome(done.Returnval)
}

func or(value, fallback string) string {
	if strings.TrimSpace(value) == "" {
		return fallback
	}
	return value
}
