package main

import (
	"net/http"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// keepTime lets a host use NTP, as it should; its clock can be asked by an object of its own.
func keepTime(host *simulator.HostSystem) {
	clock := types.ManagedObjectReference{Type: "HostDateTimeSystem", Value: "dateTimeSystem-" + host.Self.Value}
	host.ConfigManager.DateTimeSystem = &clock
	setNTP(host, []string{"ntp-1.lab.example", "ntp-2.lab.example"}, true)
}

func setNTP(host *simulator.HostSystem, servers []string, running bool) {
	host.Config.DateTimeInfo = &types.HostDateTimeInfo{
		TimeZone:  types.HostDateTimeSystemTimeZone{Key: "UTC", Name: "UTC", Description: "UTC"},
		NtpConfig: &types.HostNtpConfig{Server: servers},
	}
	for i, service := range host.Config.Service.Service {
		if service.Key == "ntpd" {
			host.Config.Service.Service[i].Running = running
			host.Config.Service.Service[i].Policy = "on"
		}
	}
}

// controlHosts changes how a host keeps its time.
func (l *lab) controlHosts(w http.ResponseWriter, r *http.Request) {
	wanted := struct {
		Name    string   `json:"name"`
		Servers []string `json:"ntp_servers"`
		Running bool     `json:"ntp_running"`
		Offset  float64  `json:"clock_offset_seconds"`
	}{}
	if !read(w, r, &wanted) {
		return
	}
	for _, entity := range simulator.Map.All("HostSystem") {
		host := entity.(*simulator.HostSystem)
		if wanted.Name == "*" || host.Name == wanted.Name {
			setNTP(host, wanted.Servers, wanted.Running)
			l.setClock(host.ConfigManager.DateTimeSystem.Value, wanted.Offset)
		}
	}
	answer(w, wanted)
}

func (l *lab) setClock(clock string, seconds float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clocks[clock] = time.Duration(seconds * float64(time.Second))
}

// answerHostTime is QueryDateTime of a host, which the library does not have.
func (c *call) answerHostTime() bool {
	if c.method != "QueryDateTime" || c.lab.userOf(c.r) == "" {
		return false
	}
	c.lab.mu.Lock()
	offset := c.lab.clocks[c.this.Value]
	c.lab.mu.Unlock()
	now := time.Now().Add(offset).UTC().Format(time.RFC3339Nano)
	c.write(http.StatusOK, `<QueryDateTimeResponse xmlns="urn:vim25"><returnval>`+now+`</returnval></QueryDateTimeResponse>`)
	return true
}
