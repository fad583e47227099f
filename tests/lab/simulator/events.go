package main

import (
	"context"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

// announceClone writes the event with which vCenter begins a clone. It alone says the new machine's name; the
// task refers to it by the number of its chain.
func (l *lab) announceClone(template *simulator.VirtualMachine, request *types.CloneVM_Task) int32 {
	event := &types.VmBeingClonedEvent{DestName: request.Name}
	event.Vm = &types.VmEventArgument{
		EntityEventArgument: types.EntityEventArgument{Name: template.Name}, Vm: template.Self,
	}
	event.DestHost = types.HostEventArgument{Host: *template.Runtime.Host}
	event.DestFolder = types.FolderEventArgument{Folder: request.Folder}
	_, err := methods.PostEvent(context.Background(), l.service, &types.PostEvent{
		This: *l.content().EventManager, EventToPost: event,
	})
	must(err)
	return event.ChainId
}
