// The lab's vCenter: govmomi's simulator with a demo inventory, tasks that take time like a real vCenter's,
// and a control endpoint through which tests ask for faults. One line of JSON on stdout says where it listens.
// It ends when its standard input closes, so it never outlives the process that started it.
package main

import (
	"encoding/json"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	_ "github.com/vmware/govmomi/pbm/simulator"
	_ "github.com/vmware/govmomi/sts/simulator"
	_ "github.com/vmware/govmomi/vapi/cluster/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator"
)

type options struct {
	listen, control, data, version string
	username, password             string
	keep                           string
	lifeline, verbose              bool
	cloneSlots                     int
	durations                      durations
	size                           size
}

func parseOptions() options {
	o := options{username: os.Getenv("LAB_USERNAME"), password: os.Getenv("LAB_PASSWORD")}
	flag.StringVar(&o.listen, "listen", "127.0.0.1:0", "address of the vSphere API (TLS)")
	flag.StringVar(&o.control, "control", "127.0.0.1:0", "address of the control endpoint (plain HTTP, loopback)")
	flag.StringVar(&o.data, "data", "", "folder for the certificate and the datastores' files")
	flag.StringVar(&o.version, "version", "8.0.3", "version that vCenter reports")
	flag.StringVar(&o.keep, "keep", "", "file that keeps the machines over a restart")
	flag.IntVar(&o.cloneSlots, "clone-slots", 0, "clones that run at once, others are queued; 0 for no limit")
	flag.BoolVar(&o.lifeline, "lifeline", false, "end when standard input closes")
	flag.BoolVar(&o.verbose, "verbose", false, "keep the simulator's own log")
	o.durations.register(flag.CommandLine)
	o.size.register(flag.CommandLine)
	flag.Parse()
	return o
}

func main() {
	o := parseOptions()
	if !o.verbose {
		log.SetOutput(io.Discard)
	}
	l := newLab(o)
	save := func() {}
	if o.keep != "" {
		save = l.keep(o.keep)
	}
	listener := &gate{Listener: listen(o.listen), lab: l}
	control := listen(o.control)
	certificate, thumbprint := serverCertificate(o.data)
	go serve(control, l.controlHandler())
	announce(listener.Addr(), control.Addr(), thumbprint)
	go serveTLS(listener, l, certificate)
	waitForEnd(o.lifeline, save)
	save()
	_ = os.RemoveAll(filepath.Join(o.data, "datastores"))
}

// newLab builds the inventory and takes over the simulator's routes; the simulator's own listener is closed.
func newLab(o options) *lab {
	model := simulator.VPX()
	model.Datacenter, model.Datastore, model.Host, model.Cluster, model.Portgroup = 0, 0, 0, 0, 0
	setVersion(&model.ServiceContent.About, o.version)
	must(model.Create())
	service := model.Service
	service.Listen = &url.URL{Host: "127.0.0.1:0", User: url.UserPassword(o.username, o.password)}
	service.RegisterEndpoints = true
	server := service.NewServer()
	server.Close()

	l := &lab{service: service, settings: settings{Durations: o.durations, Username: o.username, Password: o.password}}
	if o.cloneSlots > 0 {
		l.cloneSlots = make(chan struct{}, o.cloneSlots)
	}
	l.forget()
	l.buildInventory(o.data, o.size)
	l.listPrivileges()
	return l
}

func setVersion(about *types.AboutInfo, version string) {
	about.Version, about.ApiVersion, about.Build = version, version+".0", "24022515"
	about.Name = "VMware vCenter Server"
	about.FullName = about.Name + " " + version + " build-" + about.Build
}

func listen(address string) net.Listener {
	listener, err := net.Listen("tcp", address)
	must(err)
	return listener
}

func serve(listener net.Listener, handler http.Handler) {
	must(http.Serve(listener, handler))
}

func announce(server, control net.Addr, thumbprint string) {
	must(json.NewEncoder(os.Stdout).Encode(map[string]string{
		"server": server.String(), "control": control.String(), "thumbprint_sha256": thumbprint,
	}))
}

func waitForEnd(lifeline bool, save func()) {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	if lifeline {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			ended <- syscall.SIGTERM
		}()
	}
	for {
		select {
		case <-ended:
			return
		case <-time.After(saveEvery):
			save()
		}
	}
}

func must(err error) {
	if err != nil {
		log.SetOutput(os.Stderr)
		log.Fatal(err)
	}
}
