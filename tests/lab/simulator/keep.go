package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"
)

// keptMachine is a machine that is there again, with the same moid, after a restart of the lab.
type keptMachine struct {
	Moid       string       `json:"moid"`
	Folder     string       `json:"folder"`
	Folders    []keptFolder `json:"folders"`
	Pool       string       `json:"pool"`
	Host       string       `json:"host"`
	Datastore  string       `json:"datastore"`
	Spec       string       `json:"spec"`
	Properties string       `json:"properties"`
	PoweredOn  bool         `json:"powered_on"`
}

// keptFolder is a folder that holds kept machines, maybe made since the lab was started.
type keptFolder struct {
	Moid string `json:"moid"`
	Name string `json:"name"`
}

const saveEvery = 500 * time.Millisecond

// keep restores the machines from the file and saves them whenever they have changed.
func (l *lab) keep(file string) (save func()) {
	l.mine = map[string]bool{}
	for _, vm := range simulator.Map.All("VirtualMachine") {
		l.mine[vm.Reference().Value] = true
	}
	l.restore(file)
	var saved []byte
	save = func() {
		now, err := json.Marshal(l.machinesToKeep())
		if err != nil || bytes.Equal(now, saved) {
			return
		}
		must(os.WriteFile(file+".new", now, 0o600))
		must(os.Rename(file+".new", file))
		saved = now
	}
	return save
}

func (l *lab) machinesToKeep() []keptMachine {
	kept := []keptMachine{}
	for _, entity := range simulator.Map.All("VirtualMachine") {
		vm := entity.(*simulator.VirtualMachine)
		if l.mine[vm.Self.Value] {
			continue
		}
		simulator.Map.WithLock(vm, func() {
			if vm.Config != nil && vm.ResourcePool != nil && vm.Runtime.Host != nil && len(vm.Datastore) > 0 {
				kept = append(kept, describe(vm))
			}
		})
	}
	sort.Slice(kept, func(i, j int) bool { return kept[i].Moid < kept[j].Moid })
	return kept
}

func describe(vm *simulator.VirtualMachine) keptMachine {
	return keptMachine{
		Moid: vm.Self.Value, Folder: vm.Parent.Value, Folders: foldersAbove(vm),
		Pool: vm.ResourcePool.Value, Host: vm.Runtime.Host.Value, Datastore: vm.Datastore[0].Value,
		Spec: encoded(specOf(vm)), Properties: encodedProperties(vm),
		PoweredOn: vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn,
	}
}

// foldersAbove is the path from the datacenter to the machine, the outermost first.
func foldersAbove(vm *simulator.VirtualMachine) []keptFolder {
	path := []keptFolder{}
	folder, ok := simulator.Map.Get(*vm.Parent).(*simulator.Folder)
	for ok {
		path = append([]keptFolder{{Moid: folder.Self.Value, Name: folder.Name}}, path...)
		folder, ok = simulator.Map.Get(*folder.Parent).(*simulator.Folder)
	}
	return path
}

func specOf(vm *simulator.VirtualMachine) types.VirtualMachineConfigSpec {
	spec := types.VirtualMachineConfigSpec{
		Name: vm.Name, GuestId: vm.Config.GuestId, Annotation: vm.Config.Annotation, Firmware: vm.Config.Firmware,
		Uuid: vm.Config.Uuid, InstanceUuid: vm.Config.InstanceUuid,
		NumCPUs: vm.Config.Hardware.NumCPU, MemoryMB: int64(vm.Config.Hardware.MemoryMB),
		ExtraConfig: append([]types.BaseOptionValue{}, vm.Config.ExtraConfig...),
	}
	standard := object.VirtualDeviceList(esx.VirtualDevice)
	for _, device := range vm.Config.Hardware.Device {
		if standard.FindByKey(device.GetVirtualDevice().Key) == nil {
			spec.DeviceChange = append(spec.DeviceChange, &types.VirtualDeviceConfigSpec{
				Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: device,
			})
		}
	}
	for name, value := range map[string]string{
		"guest.ipAddress": vm.Guest.IpAddress, "guest.hostName": vm.Guest.HostName,
		"guest.toolsRunningStatus": vm.Guest.ToolsRunningStatus,
	} {
		if value != "" {
			spec.ExtraConfig = append(spec.ExtraConfig, &types.OptionValue{Key: guestPrefix + name, Value: value})
		}
	}
	sort.SliceStable(spec.ExtraConfig, func(i, j int) bool {
		return spec.ExtraConfig[i].GetOptionValue().Key < spec.ExtraConfig[j].GetOptionValue().Key
	})
	return spec
}

func encodedProperties(vm *simulator.VirtualMachine) string {
	if vm.Config.VAppConfig == nil {
		return ""
	}
	return encoded(vm.Config.VAppConfig.GetVmConfigInfo())
}

func encoded(value interface{}) string {
	text, err := xml.Marshal(value)
	must(err)
	return string(text)
}

func decoded(text string, into interface{}) {
	decoder := xml.NewDecoder(strings.NewReader(text))
	decoder.TypeFunc = types.TypeFunc()
	must(decoder.Decode(into))
}

func (l *lab) restore(file string) {
	content, err := os.ReadFile(file)
	if err != nil {
		return
	}
	var kept []keptMachine
	must(json.Unmarshal(content, &kept))
	for _, machine := range kept {
		passMoid(machine.Moid)
		for i := range machine.Folders {
			passMoid(machine.Folders[i].Moid)
			l.bringBackFolder(machine.Folders, i)
		}
		l.bringBack(machine)
	}
}

// passMoid uses up the simulator's numbers, so that no new object gets one that a kept machine has.
func passMoid(moid string) {
	taken, err := strconv.Atoi(moid[strings.LastIndex(moid, "-")+1:])
	must(err)
	for number := 0; number <= taken; {
		next := simulator.Map.NewEntity(&simulator.Folder{}).Reference().Value
		number, err = strconv.Atoi(next[strings.LastIndex(next, "-")+1:])
		must(err)
	}
}

// bringBackFolder makes a folder of the path, in the one before it, unless it is there.
func (l *lab) bringBackFolder(path []keptFolder, i int) {
	moid := reference("Folder", path[i].Moid)
	if simulator.Map.Get(moid) != nil || i == 0 {
		return
	}
	parent := reference("Folder", path[i-1].Moid)
	made, err := methods.CreateFolder(context.Background(), l.service, &types.CreateFolder{This: parent, Name: path[i].Name})
	must(err)
	folder := simulator.Map.Get(made.Returnval).(*simulator.Folder)
	simulator.Map.Remove(folder.Self)
	folder.Self = moid
	replace(simulator.Map.Get(parent).(*simulator.Folder).ChildEntity, made.Returnval, moid)
	simulator.Map.Put(folder)
}

func (l *lab) bringBack(machine keptMachine) {
	datastore, ok := simulator.Map.Get(reference("Datastore", machine.Datastore)).(*simulator.Datastore)
	folder := reference("Folder", machine.Folder)
	if !ok || simulator.Map.Get(folder) == nil {
		return
	}
	host := reference("HostSystem", machine.Host)
	created, err := methods.CreateVM_Task(context.Background(), l.service, &types.CreateVM_Task{
		This: folder, Config: restoredSpec(machine, datastore), Pool: reference("ResourcePool", machine.Pool), Host: &host,
	})
	must(err)
	result, fault := l.outcome(created.Returnval)
	if fault != nil {
		return
	}
	vm := simulator.Map.Get(result.(types.ManagedObjectReference)).(*simulator.VirtualMachine)
	vm.Config.ExtraConfig = mergeOptions(vm.Config.ExtraConfig, nil)
	vm.Summary.Config.Annotation = vm.Config.Annotation
	if machine.Properties != "" {
		properties := &types.VmConfigInfo{}
		decoded(machine.Properties, properties)
		vm.Config.VAppConfig = properties
	}
	l.rekey(vm, reference("VirtualMachine", machine.Moid))
	if machine.PoweredOn {
		_, _ = l.powerOn(vm.Self)
	}
}

func restoredSpec(machine keptMachine, datastore *simulator.Datastore) types.VirtualMachineConfigSpec {
	spec := types.VirtualMachineConfigSpec{}
	decoded(machine.Spec, &spec)
	spec.Files = &types.VirtualMachineFileInfo{VmPathName: "[" + datastore.Name + "]"}
	for i, change := range spec.DeviceChange {
		device := change.GetVirtualDeviceConfigSpec().Device
		card, isCard := device.(types.BaseVirtualEthernetCard)
		address := ""
		if isCard {
			address = card.GetVirtualEthernetCard().MacAddress
		}
		spec.DeviceChange[i] = fresh(device)
		if isCard {
			card.GetVirtualEthernetCard().MacAddress = address
		}
	}
	return spec
}

func reference(kind, moid string) types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: kind, Value: moid}
}

// rekey gives a machine the moid it had.
func (l *lab) rekey(vm *simulator.VirtualMachine, moid types.ManagedObjectReference) {
	had := vm.Self
	simulator.Map.Remove(had)
	vm.Self = moid
	lists := []*[]types.ManagedObjectReference{
		&simulator.Map.Get(*vm.Parent).(*simulator.Folder).ChildEntity,
		&simulator.Map.Get(*vm.Runtime.Host).(*simulator.HostSystem).Vm,
		&simulator.Map.Get(*vm.ResourcePool).(*simulator.ResourcePool).Vm,
	}
	for _, datastore := range vm.Datastore {
		lists = append(lists, &simulator.Map.Get(datastore).(*simulator.Datastore).Vm)
	}
	for _, list := range lists {
		replace(*list, had, moid)
	}
	simulator.Map.Put(vm)
}

func replace(list []types.ManagedObjectReference, had, moid types.ManagedObjectReference) {
	for i := range list {
		if list[i] == had {
			list[i] = moid
		}
	}
}
