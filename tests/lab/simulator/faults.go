package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"reflect"

	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// rule asks for a fault: in a method's reply ("call"), as the end of its task ("task"), or the reply is lost
// after the work was begun ("lose-reply") or finished ("lose-reply-after").
type rule struct {
	Method  string          `json:"method"`
	At      string          `json:"at"`
	Fault   string          `json:"fault"`
	Fields  json.RawMessage `json:"fields"`
	Message string          `json:"message"`
	Name    string          `json:"name"`
	Count   int             `json:"count"`
	Hits    int             `json:"hits"`
}

func (r *rule) matches(method, name string) bool {
	if r.Method != method || (r.Count > 0 && r.Hits >= r.Count) {
		return false
	}
	matched, err := path.Match(or(r.Name, "*"), name)
	return err == nil && matched
}

func (r *rule) fault() types.BaseMethodFault {
	kind, known := types.TypeFunc()(or(r.Fault, "SystemError"))
	if !known {
		return &types.SystemError{Reason: r.Message}
	}
	value := reflect.New(kind)
	if len(r.Fields) > 0 {
		_ = json.Unmarshal(r.Fields, value.Interface())
	}
	fault, ok := value.Interface().(types.BaseMethodFault)
	if !ok {
		return &types.SystemError{Reason: r.Fault + " is not a fault"}
	}
	return fault
}

func (r *rule) check() error {
	if r.Method == "" {
		return errors.New("a fault needs a method")
	}
	if _, known := types.TypeFunc()(or(r.Fault, "SystemError")); !known {
		return errors.New("unknown fault " + r.Fault)
	}
	return nil
}

// take finds the first rule for this call at one of these places, and counts it.
func (l *lab) take(method, name string, places ...string) *rule {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, candidate := range l.rules {
		for _, place := range places {
			if or(candidate.At, "call") == place && candidate.matches(method, name) {
				candidate.Hits++
				return candidate
			}
		}
	}
	return nil
}

func faultOf(err error) types.BaseMethodFault {
	if soap.IsSoapFault(err) {
		if fault, ok := soap.ToSoapFault(err).VimFault().(types.BaseMethodFault); ok {
			return fault
		}
		value := reflect.New(reflect.TypeOf(soap.ToSoapFault(err).VimFault()))
		value.Elem().Set(reflect.ValueOf(soap.ToSoapFault(err).VimFault()))
		if fault, ok := value.Interface().(types.BaseMethodFault); ok {
			return fault
		}
	}
	return &types.SystemError{Reason: err.Error()}
}

// message is the sentence that vCenter sends along.
func message(fault types.BaseMethodFault) string {
	switch f := fault.(type) {
	case *types.DuplicateName:
		return fmt.Sprintf("The name '%s' already exists.", f.Name)
	case *types.NoDiskSpace:
		return fmt.Sprintf("Insufficient disk space on datastore '%s'.", f.Datastore)
	case *types.NoPermission:
		return "Permission to perform this operation was denied."
	case *types.InvalidPowerState:
		return fmt.Sprintf("The attempted operation cannot be performed in the current state (%s).", f.ExistingState)
	case *types.RequestCanceled:
		return "The task was canceled by a user."
	case *types.SystemError:
		return or(f.Reason, "A general system error occurred.")
	}
	return "The operation failed: " + reflect.TypeOf(fault).Elem().Name() + "."
}
