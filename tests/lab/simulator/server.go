package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"
)

// lab is the HTTP handler in front of the simulator.
type lab struct {
	service *simulator.Service
	placing sync.Mutex
	// nil: as many clones at once as are asked for.
	cloneSlots chan struct{}

	mu          sync.Mutex
	settings    settings
	rules       []*rule
	outage      outage
	calls       map[string]int
	sessions    map[string]*session
	logins      int
	logouts     int
	tasks       map[string]*runningTask
	reserved    map[string]bool
	mine        map[string]bool // machines of the demo inventory
	connections map[net.Conn]bool
	clocks      map[string]time.Duration
	permissions permissions
}

type settings struct {
	Durations   durations          `json:"durations"`
	Delays      map[string]float64 `json:"delays"`
	Username    string             `json:"username"`
	Password    string             `json:"password"`
	Version     string             `json:"version"`
	ClockOffset float64            `json:"clock_offset_seconds"`
}

func (l *lab) forget() {
	l.calls, l.sessions = map[string]int{}, map[string]*session{}
	l.tasks, l.reserved = map[string]*runningTask{}, map[string]bool{}
	l.connections = map[net.Conn]bool{}
	l.clocks = map[string]time.Duration{}
}

func (l *lab) content() types.ServiceContent {
	return simulator.Map.Get(vim25.ServiceInstance).(*simulator.ServiceInstance).Content
}

func (l *lab) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.hold(w, r) {
		return
	}
	if r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, vim25.Path) {
		l.serveREST(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c := &call{lab: l, w: w, r: r, body: body, method: methodName(body)}
	l.count(c.method)
	c.serve()
}

var methodPattern = regexp.MustCompile(`(?s)<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)`)

func methodName(body []byte) string {
	if found := methodPattern.FindSubmatch(body); found != nil {
		return string(found[1])
	}
	return "unknown"
}

func (l *lab) count(method string) {
	l.mu.Lock()
	l.calls[method]++
	delay := l.settings.Delays[method]
	l.mu.Unlock()
	time.Sleep(time.Duration(delay * float64(time.Second)))
}

// call is one SOAP request.
type call struct {
	lab     *lab
	w       http.ResponseWriter
	r       *http.Request
	body    []byte
	method  string
	request interface{}
	this    types.ManagedObjectReference
}

func (c *call) serve() {
	c.decode()
	name := c.subject()
	if failing := c.lab.take(c.method, name, "call"); failing != nil {
		fault := failing.fault()
		c.answerFault(fault, or(failing.Message, message(fault)))
		return
	}
	losing := c.lab.take(c.method, name, "lose-reply", "lose-reply-after")
	if task := c.startTask(name); task != nil {
		c.answerTask(task, losing)
		return
	}
	if losing != nil {
		c.pass(&discarded{header: http.Header{}})
		drop(c.w)
		return
	}
	if c.answerPrivileges() || c.answerHostTime() {
		return
	}
	c.pass(c.w)
}

// mattering are the methods, besides all that start a task, whose requests matter here.
var mattering = map[string]bool{
	"CancelTask": true, "TerminateSession": true, "QueryDateTime": true,
	"FetchUserPrivilegeOnEntities": true, "HasPrivilegeOnEntities": true,
}

// decode reads the requests that matter here, as the simulator would; what cannot be read is left for the simulator to refuse.
func (c *call) decode() {
	if !strings.HasSuffix(c.method, "_Task") && !mattering[c.method] {
		return
	}
	method, err := simulator.UnmarshalBody(typeNamed, c.body)
	if err == nil {
		c.request, c.this = method.Body, method.This
	}
}

func typeNamed(name string) (reflect.Type, bool) {
	kind, known := types.TypeFunc()(name)
	if parts := strings.SplitN(name, ":", 2); !known && len(parts) == 2 {
		return types.TypeFunc()(parts[1])
	}
	return kind, known
}

// subject is the name that a fault can be limited to: of the clone to be made, or of the machine.
func (c *call) subject() string {
	if clone, ok := c.request.(*types.CloneVM_Task); ok {
		return clone.Name
	}
	if vm, ok := simulator.Map.Get(c.this).(*simulator.VirtualMachine); ok {
		return vm.Name
	}
	return ""
}

// startTask takes the slow methods of a virtual machine off the wire.
func (c *call) startTask(name string) *runningTask {
	user := c.lab.userOf(c.r)
	vm, isMachine := simulator.Map.Get(c.this).(*simulator.VirtualMachine)
	if user == "" || !isMachine {
		return nil
	}
	j, slow := c.lab.jobFor(vm, c.request)
	if !slow {
		return nil
	}
	if failing := c.lab.take(c.method, name, "task"); failing != nil {
		fault := failing.fault()
		j.work = func() (types.AnyType, types.BaseMethodFault) { return nil, fault }
	}
	j.method = c.method
	if clone, ok := c.request.(*types.CloneVM_Task); ok {
		j.eventChain = c.lab.announceClone(vm, clone)
	}
	return c.lab.start(j, user)
}

func nothingToCheck() types.BaseMethodFault { return nil }

func (l *lab) jobFor(vm *simulator.VirtualMachine, request interface{}) (job, bool) {
	l.mu.Lock()
	seconds := l.settings.Durations
	l.mu.Unlock()
	j := job{entity: vm, check: nothingToCheck, cleanup: func() {}}
	switch r := request.(type) {
	case *types.CloneVM_Task:
		j.operation, j.seconds, j.cancelable = "clone", seconds.Clone, true
		reserved := false
		j.check = func() types.BaseMethodFault {
			fault := l.checkClone(vm, r)
			reserved = fault == nil
			return fault
		}
		j.cleanup = func() {
			if reserved {
				l.release(nameKey(r))
			}
		}
		j.work = func() (types.AnyType, types.BaseMethodFault) { return l.clone(vm, r) }
	case *types.PowerOnVM_Task:
		j.operation, j.seconds = "powerOn", seconds.PowerOn
		j.work = func() (types.AnyType, types.BaseMethodFault) { return l.powerOn(vm.Self) }
	case *types.PowerOffVM_Task:
		j.operation, j.seconds = "powerOff", seconds.PowerOff
		j.work = func() (types.AnyType, types.BaseMethodFault) { return l.powerOff(vm) }
	case *types.Destroy_Task:
		j.operation, j.seconds = "destroy", seconds.Destroy
		j.work = func() (types.AnyType, types.BaseMethodFault) { return l.destroy(vm.Self) }
	case *types.ReconfigVM_Task:
		j.operation, j.seconds = "reconfigure", seconds.Reconfigure
		j.work = func() (types.AnyType, types.BaseMethodFault) { return l.reconfigure(vm, r) }
		return j, !guestWrites(r)
	default:
		return j, false
	}
	return j, true
}

// guestWrites tells the guest player's writes, which take no time, from a client's reconfiguration.
func guestWrites(r *types.ReconfigVM_Task) bool {
	return len(r.Spec.ExtraConfig) > 0 && len(ordinary(r.Spec.ExtraConfig)) == 0
}

func (c *call) answerTask(task *runningTask, losing *rule) {
	if losing == nil {
		c.write(http.StatusOK, fmt.Sprintf(`<%sResponse xmlns="urn:vim25"><returnval type="Task">%s</returnval></%sResponse>`,
			c.method, task.Self.Value, c.method))
		return
	}
	if losing.At == "lose-reply-after" {
		<-task.done
	}
	drop(c.w)
}

// pass lets the simulator answer, and keeps the books of sessions.
func (c *call) pass(w http.ResponseWriter) {
	if c.method == "CancelTask" && c.lab.cancelTask(c.this.Value) {
		c.write(http.StatusOK, `<CancelTaskResponse xmlns="urn:vim25"></CancelTaskResponse>`)
		return
	}
	if c.method == "CurrentTime" && c.lab.userOf(c.r) != "" {
		c.answerTime()
		return
	}
	c.r.Body = io.NopCloser(bytes.NewReader(c.body))
	c.lab.service.ServeMux.ServeHTTP(w, c.r)
	c.lab.noteSession(c.method, c.request, w.Header(), c.r)
}

func (c *call) answerTime() {
	c.lab.mu.Lock()
	offset := time.Duration(c.lab.settings.ClockOffset * float64(time.Second))
	c.lab.mu.Unlock()
	now := time.Now().Add(offset).UTC().Format(time.RFC3339Nano)
	c.write(http.StatusOK, `<CurrentTimeResponse xmlns="urn:vim25"><returnval>`+now+`</returnval></CurrentTimeResponse>`)
}

func (c *call) answerFault(fault types.BaseMethodFault, sentence string) {
	var detail bytes.Buffer
	kind := reflect.TypeOf(fault).Elem().Name()
	must(xml.NewEncoder(&detail).EncodeElement(fault, xml.StartElement{
		Name: xml.Name{Local: kind + "Fault"},
		Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: "urn:vim25"}, {Name: xml.Name{Local: "xsi:type"}, Value: kind}},
	}))
	var text bytes.Buffer
	must(xml.EscapeText(&text, []byte(sentence)))
	c.write(http.StatusInternalServerError, "<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>"+text.String()+
		"</faultstring><detail>"+detail.String()+"</detail></soapenv:Fault>")
}

func (c *call) write(status int, body string) {
	c.w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	c.w.WriteHeader(status)
	_, _ = io.WriteString(c.w, xml.Header+`<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"`+
		` xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">`+
		`<soapenv:Body>`+body+`</soapenv:Body></soapenv:Envelope>`)
}

// discarded is where a lost reply goes.
type discarded struct{ header http.Header }

func (d *discarded) Header() http.Header         { return d.header }
func (d *discarded) Write(b []byte) (int, error) { return len(b), nil }
func (d *discarded) WriteHeader(int)             {}
