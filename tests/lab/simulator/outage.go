package main

import (
	"net"
	"net/http"
	"time"
)

// outage makes the API unreachable: "reset" cuts every connection, "hang" takes requests and never answers.
type outage struct {
	until time.Time
	hang  bool
}

func (o outage) active() bool { return time.Now().Before(o.until) }

// gate is the listener of the API; while the outage lasts it resets whoever connects.
type gate struct {
	net.Listener
	lab *lab
}

func (g *gate) Accept() (net.Conn, error) {
	for {
		connection, err := g.Listener.Accept()
		if err != nil || !g.lab.resetting() {
			return connection, err
		}
		reset(connection)
	}
}

func reset(connection net.Conn) {
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = connection.Close()
}

func (l *lab) resetting() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.outage.active() && !l.outage.hang
}

func (l *lab) trackConnection(connection net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch state {
	case http.StateNew:
		l.connections[connection] = true
	case http.StateClosed, http.StateHijacked:
		delete(l.connections, connection)
	}
}

func (l *lab) beginOutage(duration time.Duration, hang bool) {
	l.mu.Lock()
	l.outage = outage{until: time.Now().Add(duration), hang: hang}
	open := make([]net.Conn, 0, len(l.connections))
	for connection := range l.connections {
		open = append(open, connection)
	}
	l.mu.Unlock()
	if hang {
		return
	}
	for _, connection := range open {
		_ = connection.Close()
	}
}

// hold keeps a request without an answer while a hanging outage lasts, then drops it.
func (l *lab) hold(w http.ResponseWriter, r *http.Request) bool {
	l.mu.Lock()
	current := l.outage
	l.mu.Unlock()
	if !current.hang || !current.active() {
		return false
	}
	select {
	case <-r.Context().Done():
	case <-time.After(time.Until(current.until)):
	}
	drop(w)
	return true
}

func drop(w http.ResponseWriter) {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = connection.Close()
	}
}
