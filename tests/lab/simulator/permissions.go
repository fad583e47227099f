package main

import (
	"bytes"
	"net/http"
	"sync"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"
)

// newerPrivileges are those of vCenter 7 and 8 that the library's administrator does not know yet.
var newerPrivileges = []string{
	"Cns.Searchable", "InventoryService.Tagging.AttachTag", "InventoryService.Tagging.CreateTag",
	"InventoryService.Tagging.DeleteTag", "InventoryService.Tagging.EditTag", "Sessions.ValidateSession",
	"StorageProfile.View", "StorageViews.ConfigureService", "StorageViews.View", "Vsan.Cluster.ShallowRekey",
}

// permissions is what the account may not do. The library says yes to every question about privileges.
type permissions struct {
	mu sync.Mutex
	// By the id of an object, "*" for all: ids that the account does not hold there. "*" among them: none at all.
	Withheld map[string][]string `json:"withheld"`
	// Ids that this vCenter does not know, as an older one.
	Unknown []string `json:"unknown"`
}

func (l *lab) controlPermissions(w http.ResponseWriter, r *http.Request) {
	l.permissions.mu.Lock()
	defer l.permissions.mu.Unlock()
	l.permissions.Withheld, l.permissions.Unknown = nil, nil
	if r.Method == http.MethodPost && !read(w, r, &l.permissions) {
		return
	}
	l.listPrivileges()
	answer(w, map[string]interface{}{"known": len(l.knownPrivileges())})
}

// listPrivileges fills AuthorizationManager.privilegeList, which the library leaves empty.
func (l *lab) listPrivileges() {
	manager := l.authorizationManager()
	manager.PrivilegeList = nil
	for _, id := range l.knownPrivileges() {
		manager.PrivilegeList = append(manager.PrivilegeList, types.AuthorizationPrivilege{PrivId: id, Name: id})
	}
}

func (l *lab) authorizationManager() *simulator.AuthorizationManager {
	return simulator.Map.Get(*l.content().AuthorizationManager).(*simulator.AuthorizationManager)
}

func (l *lab) knownPrivileges() []string {
	all := object.AuthorizationRoleList(l.authorizationManager().RoleList).ByName("Admin").Privilege
	return without(union(all, newerPrivileges), l.permissions.Unknown)
}

// held is what the account may do on an object.
func (l *lab) held(moid string) []string {
	l.permissions.mu.Lock()
	defer l.permissions.mu.Unlock()
	held := without(l.knownPrivileges(), l.permissions.Withheld["*"])
	return without(held, l.permissions.Withheld[moid])
}

func union(lists ...[]string) []string {
	seen, all := map[string]bool{}, []string{}
	for _, list := range lists {
		for _, id := range list {
			if !seen[id] {
				seen[id] = true
				all = append(all, id)
			}
		}
	}
	return all
}

func without(ids, left []string) []string {
	gone, kept := map[string]bool{}, []string{}
	for _, id := range left {
		gone[id] = true
	}
	for _, id := range ids {
		if !gone[id] && !gone["*"] {
			kept = append(kept, id)
		}
	}
	return kept
}

// answerPrivileges takes the two questions about many objects off the wire; false for every other method.
func (c *call) answerPrivileges() bool {
	var answered interface{}
	switch r := c.request.(type) {
	case *types.FetchUserPrivilegeOnEntities:
		results := make([]types.UserPrivilegeResult, len(r.Entities))
		for i, entity := range r.Entities {
			results[i] = types.UserPrivilegeResult{Entity: entity, Privileges: c.lab.held(entity.Value)}
		}
		answered = &types.FetchUserPrivilegeOnEntitiesResponse{Returnval: results}
	case *types.HasPrivilegeOnEntities:
		results := make([]types.EntityPrivilege, len(r.Entity))
		for i, entity := range r.Entity {
			results[i] = types.EntityPrivilege{Entity: entity, PrivAvailability: availability(c.lab.held(entity.Value), r.PrivId)}
		}
		answered = &types.HasPrivilegeOnEntitiesResponse{Returnval: results}
	default:
		return false
	}
	if c.lab.userOf(c.r) == "" {
		return false // the library says that nobody is logged in
	}
	c.answer(answered)
	return true
}

func availability(held, wanted []string) []types.PrivilegeAvailability {
	granted := map[string]bool{}
	for _, id := range held {
		granted[id] = true
	}
	all := make([]types.PrivilegeAvailability, len(wanted))
	for i, id := range wanted {
		all[i] = types.PrivilegeAvailability{PrivId: id, IsGranted: granted[id]}
	}
	return all
}

// answer writes a response of the API's own type.
func (c *call) answer(response interface{}) {
	var body bytes.Buffer
	must(xml.NewEncoder(&body).EncodeElement(response, xml.StartElement{
		Name: xml.Name{Local: c.method + "Response"},
		Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: "urn:vim25"}},
	}))
	c.write(http.StatusOK, body.String())
}
