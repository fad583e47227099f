package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
)

// controlHandler is for tests, benchmarks and the demo; a client of the API never sees it.
func (l *lab) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/state", l.controlState)
	mux.HandleFunc("/settings", l.controlSettings)
	mux.HandleFunc("/faults", l.controlFaults)
	mux.HandleFunc("/outage", l.controlOutage)
	mux.HandleFunc("/calls", l.controlCalls)
	mux.HandleFunc("/sessions", l.controlSessions)
	mux.HandleFunc("/permissions", l.controlPermissions)
	mux.HandleFunc("/hosts", l.controlHosts)
	return mux
}

func (l *lab) controlState(w http.ResponseWriter, _ *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	open := make([]*session, 0, len(l.sessions))
	for _, one := range l.sessions {
		open = append(open, one)
	}
	answer(w, map[string]interface{}{
		"sessions": open, "logins": l.logins, "logouts": l.logouts, "calls": l.calls,
		"running_tasks": len(l.tasks), "faults": l.rules, "durations": l.settings.Durations,
	})
}

// controlSettings changes what the body names and keeps the rest.
func (l *lab) controlSettings(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !read(w, r, &l.settings) {
		return
	}
	l.service.Listen.User = url.UserPassword(l.settings.Username, l.settings.Password)
	if l.settings.Version != "" {
		instance := simulator.Map.Get(vim25.ServiceInstance).(*simulator.ServiceInstance)
		setVersion(&instance.Content.About, l.settings.Version)
	}
	answer(w, l.settings.Durations)
}

func (l *lab) controlFaults(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch r.Method {
	case http.MethodPost:
		added := &rule{}
		if !read(w, r, added) {
			return
		}
		if err := added.check(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		l.rules = append(l.rules, added)
	case http.MethodDelete:
		l.rules = nil
	}
	answer(w, l.rules)
}

func (l *lab) controlOutage(w http.ResponseWriter, r *http.Request) {
	wanted := struct {
		Seconds float64 `json:"seconds"`
		Mode    string  `json:"mode"`
	}{}
	if r.Method == http.MethodPost && !read(w, r, &wanted) {
		return
	}
	l.beginOutage(time.Duration(wanted.Seconds*float64(time.Second)), wanted.Mode == "hang")
	answer(w, wanted)
}

func (l *lab) controlCalls(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Method == http.MethodDelete {
		l.calls = map[string]int{}
	}
	answer(w, l.calls)
}

func (l *lab) controlSessions(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodDelete {
		l.expireSessions()
	}
	l.controlState(w, r)
}

func read(w http.ResponseWriter, r *http.Request, into interface{}) bool {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

func answer(w http.ResponseWriter, value interface{}) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}
