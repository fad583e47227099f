package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

type session struct {
	Kind         string    `json:"kind"`
	Key          string    `json:"key"`
	User         string    `json:"user"`
	UserAgent    string    `json:"user_agent"`
	LoginAt      time.Time `json:"login_at"`
	LastActiveAt time.Time `json:"last_active_at"`
	Calls        int       `json:"calls"`
}

const (
	restSessionPath   = "/rest/com/vmware/cis/session"
	restSessionHeader = "vmware-api-session-id"
)

// userOf is the user whose session the request belongs to; it counts the call for the session.
func (l *lab) userOf(r *http.Request) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if open := l.sessions[soapKey(r)]; open != nil {
		open.LastActiveAt = time.Now()
		open.Calls++
		return open.User
	}
	return ""
}

func soapKey(r *http.Request) string {
	cookie, err := r.Cookie(soap.SessionCookieName)
	if err != nil {
		return ""
	}
	return strings.Trim(cookie.Value, `"`)
}

func (l *lab) noteSession(method string, request interface{}, header http.Header, r *http.Request) {
	switch method {
	case "Login", "LoginByToken", "CloneSession":
		answer := http.Response{Header: header}
		for _, cookie := range answer.Cookies() {
			if cookie.Name == soap.SessionCookieName {
				l.open("soap", cookie.Value, r)
			}
		}
	case "Logout":
		l.close(soapKey(r))
	case "TerminateSession":
		if terminate, ok := request.(*types.TerminateSession); ok {
			for _, key := range terminate.SessionId {
				l.close(key)
			}
		}
	}
}

func (l *lab) open(kind, key string, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.sessions[key] = &session{
		Kind: kind, Key: key, User: l.settings.Username, UserAgent: r.UserAgent(), LoginAt: now, LastActiveAt: now,
	}
	l.logins++
}

func (l *lab) close(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sessions[key] != nil {
		delete(l.sessions, key)
		l.logouts++
	}
}

// expireSessions ends every session on the server's side, as an idle time-out does.
func (l *lab) expireSessions() {
	l.mu.Lock()
	keys := []string{}
	for key, open := range l.sessions {
		if open.Kind == "soap" {
			keys = append(keys, key)
		}
	}
	l.mu.Unlock()
	for _, key := range keys {
		_, _ = methods.TerminateSession(context.Background(), l.service, &types.TerminateSession{
			This: *l.content().SessionManager, SessionId: []string{key},
		})
		l.close(key)
	}
}

// serveREST checks the password, which the library does not, and counts REST sessions too.
func (l *lab) serveREST(w http.ResponseWriter, r *http.Request) {
	l.count(r.Method + " " + r.URL.Path)
	isSession := r.URL.Path == restSessionPath && r.URL.Query().Get("~action") == ""
	if isSession && r.Method == http.MethodPost && !l.restLogin(r) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"type":"com.vmware.vapi.std.errors.unauthenticated","value":{"messages":[]}}`))
		return
	}
	recorded := &copying{ResponseWriter: w}
	l.service.ServeMux.ServeHTTP(recorded, r)
	if !isSession {
		return
	}
	switch r.Method {
	case http.MethodPost:
		if key := recorded.value(); key != "" {
			l.open("rest", key, r)
		}
	case http.MethodDelete:
		l.close(r.Header.Get(restSessionHeader))
	}
}

func (l *lab) restLogin(r *http.Request) bool {
	username, password, given := r.BasicAuth()
	l.mu.Lock()
	defer l.mu.Unlock()
	return given && username == l.settings.Username && password == l.settings.Password
}
