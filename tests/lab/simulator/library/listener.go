// Added to the library's package when the lab is built; see tests/lab/build.py.
package simulator

import (
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// sessionListener hears of changes for one session's default PropertyCollector. The library registers them all
// under one name, so that only the session that asked last would hear of anything.
type sessionListener struct {
	collector *PropertyCollector
	session   string
}

func listener(ctx *Context, pc *PropertyCollector) RegisterObject {
	if pc.Self != ctx.Map.content().PropertyCollector {
		return pc
	}
	return &sessionListener{collector: pc, session: ctx.Session.Key}
}

func (l *sessionListener) Reference() types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: "PropertyCollector", Value: "session[" + l.session + "]default"}
}

func (l *sessionListener) PutObject(o mo.Reference) {
	if l.isWanted() {
		l.collector.PutObject(o)
	}
}

func (l *sessionListener) UpdateObject(o mo.Reference, changes []types.PropertyChange) {
	if l.isWanted() {
		l.collector.UpdateObject(o, changes)
	}
}

func (l *sessionListener) RemoveObject(ref types.ManagedObjectReference) {
	if l.isWanted() {
		l.collector.RemoveObject(ref)
	}
}

func (l *sessionListener) isWanted() bool {
	_, open := Map.SessionManager().getSession(l.session)
	if !open {
		Map.RemoveHandler(l)
	}
	return open
}
