package main

import (
	"flag"
	"fmt"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// durations in seconds, by what the task does.
type durations struct {
	Clone       float64 `json:"clone_seconds"`
	PowerOn     float64 `json:"power_on_seconds"`
	PowerOff    float64 `json:"power_off_seconds"`
	Destroy     float64 `json:"destroy_seconds"`
	Reconfigure float64 `json:"reconfigure_seconds"`
}

func (d *durations) register(flags *flag.FlagSet) {
	flags.Float64Var(&d.Clone, "clone-seconds", 3, "duration of a clone")
	flags.Float64Var(&d.PowerOn, "power-on-seconds", 1, "duration of a power-on")
	flags.Float64Var(&d.PowerOff, "power-off-seconds", 0.5, "duration of a power-off")
	flags.Float64Var(&d.Destroy, "destroy-seconds", 0.5, "duration of a deletion")
	flags.Float64Var(&d.Reconfigure, "reconfigure-seconds", 0.1, "duration of a reconfiguration")
}

type work func() (types.AnyType, types.BaseMethodFault)

// job is one asynchronous vSphere task: what it is called, how long it takes, and what it does at the end.
type job struct {
	entity     mo.Entity
	method     string
	operation  string
	cancelable bool
	eventChain int32
	seconds    float64
	check      func() types.BaseMethodFault
	work       work
	cleanup    func()
}

type runningTask struct {
	*simulator.Task
	cancelled chan struct{}
	cancel    sync.Once
	done      chan struct{}
}

const tick = 100 * time.Millisecond

// start registers the task, so that its reference can be answered at once, and lets it run on its own.
func (l *lab) start(j job, user string) *runningTask {
	task := simulator.CreateTask(j.entity, j.operation, nil)
	change(task, map[string]interface{}{
		"info.name":         j.method,
		"info.entityName":   j.entity.Entity().Name,
		"info.cancelable":   j.cancelable,
		"info.eventChainId": j.eventChain,
		"info.reason":       &types.TaskReasonUser{UserName: user},
	})
	running := &runningTask{Task: task, cancelled: make(chan struct{}), done: make(chan struct{})}
	l.mu.Lock()
	l.tasks[task.Self.Value] = running
	l.mu.Unlock()
	go l.run(running, j)
	return running
}

func (l *lab) run(task *runningTask, j job) {
	time.Sleep(tick / 2)
	leave, queued := l.enter(task, j)
	defer leave()
	begun := time.Now()
	change(task.Task, map[string]interface{}{"info.state": types.TaskInfoStateRunning, "info.startTime": begun})
	fault := queued
	if fault == nil {
		fault = j.check()
	}
	if fault == nil {
		fault = task.progress(begun, time.Duration(j.seconds*float64(time.Second))-tick/2)
	}
	var result types.AnyType
	if fault == nil {
		result, fault = safely(j.work)
	}
	task.finish(result, fault)
	j.cleanup()
	l.mu.Lock()
	delete(l.tasks, task.Self.Value)
	l.mu.Unlock()
	close(task.done)
}

// enter waits for a slot, as clones do where a host takes only some at once; other tasks need none.
func (l *lab) enter(task *runningTask, j job) (func(), types.BaseMethodFault) {
	if l.cloneSlots == nil || j.operation != "clone" {
		return func() {}, nil
	}
	select {
	case l.cloneSlots <- struct{}{}:
		return func() { <-l.cloneSlots }, nil
	case <-task.cancelled:
		return func() {}, &types.RequestCanceled{}
	}
}

// progress counts up to 99 % while the time passes; a cancelled task ends with RequestCanceled.
func (task *runningTask) progress(begun time.Time, duration time.Duration) types.BaseMethodFault {
	for {
		left := duration - time.Since(begun)
		if left <= 0 {
			return nil
		}
		pause := max(tick, duration/20)
		if left < pause {
			pause = left
		}
		select {
		case <-task.cancelled:
			return &types.RequestCanceled{}
		case <-time.After(pause):
		}
		percent := int32(99 * time.Since(begun) / duration)
		if percent < 100 {
			change(task.Task, map[string]interface{}{"info.progress": percent})
		}
	}
}

func (task *runningTask) finish(result types.AnyType, fault types.BaseMethodFault) {
	changes := map[string]interface{}{"info.completeTime": time.Now()}
	if fault != nil {
		changes["info.state"] = types.TaskInfoStateError
		changes["info.error"] = types.LocalizedMethodFault{Fault: fault, LocalizedMessage: message(fault)}
		_, changes["info.cancelled"] = fault.(*types.RequestCanceled)
	} else {
		changes["info.state"] = types.TaskInfoStateSuccess
		changes["info.progress"] = int32(100)
		if result != nil {
			changes["info.result"] = result
		}
	}
	change(task.Task, changes)
}

// cancelTask answers true if the task is one of ours and can be cancelled.
func (l *lab) cancelTask(moid string) bool {
	l.mu.Lock()
	task, ours := l.tasks[moid]
	l.mu.Unlock()
	if !ours || !task.Info.Cancelable {
		return false
	}
	task.cancel.Do(func() { close(task.cancelled) })
	return true
}

// change sets properties and tells every waiting PropertyCollector.
func change(object mo.Reference, values map[string]interface{}) {
	changes := make([]types.PropertyChange, 0, len(values))
	for name, value := range values {
		changes = append(changes, types.PropertyChange{Name: name, Val: value})
	}
	simulator.Map.WithLock(object, func() { simulator.Map.Update(object, changes) })
}

// outcome takes over what a method of the simulator did, and hides the task it made for that.
func (l *lab) outcome(inner types.ManagedObjectReference) (types.AnyType, types.BaseMethodFault) {
	task := simulator.Map.Get(inner).(*simulator.Task)
	l.hide(inner)
	if task.Info.Error != nil {
		return nil, task.Info.Error.Fault
	}
	return task.Info.Result, nil
}

func (l *lab) hide(inner types.ManagedObjectReference) {
	simulator.Map.Remove(inner)
	manager := simulator.Map.Get(*l.content().TaskManager).(*simulator.TaskManager)
	simulator.Map.WithLock(manager, func() {
		kept := make([]types.ManagedObjectReference, 0, len(manager.RecentTask))
		for _, task := range manager.RecentTask {
			if task != inner {
				kept = append(kept, task)
			}
		}
		simulator.Map.Update(manager, []types.PropertyChange{{Name: "recentTask", Val: kept}})
	})
}

// safely turns a crash of the simulator into the fault that vCenter answers when it has a bug.
func safely(do work) (result types.AnyType, fault types.BaseMethodFault) {
	defer func() {
		if cause := recover(); cause != nil {
			result, fault = nil, &types.SystemError{Reason: fmt.Sprint(cause)}
		}
	}()
	return do()
}

func max(a, b time.Duration) time.Duration {
	if a > b {
		return a
	}
	return b
}
