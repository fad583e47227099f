package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/vmware/govmomi/vim25/types"
)

// copying keeps what was answered, to learn the id of a REST session.
type copying struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (c *copying) Write(b []byte) (int, error) {
	c.body.Write(b)
	return c.ResponseWriter.Write(b)
}

func (c *copying) value() string { return valueOf(c.body.Bytes()) }

func valueOf(body []byte) string {
	answer := struct{ Value interface{} }{}
	_ = json.Unmarshal(body, &answer)
	text, _ := answer.Value.(string)
	return text
}

// tagger attaches tags the way an administrator does: through the REST API.
type tagger struct {
	lab     *lab
	session string
}

func (l *lab) newTagger() *tagger {
	t := &tagger{lab: l}
	t.session = t.post(restSessionPath, nil)
	return t
}

func (t *tagger) post(path string, body interface{}) string {
	encoded, err := json.Marshal(body)
	must(err)
	request := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(encoded))
	request.Header.Set(restSessionHeader, t.session)
	request.SetBasicAuth("lab", "lab")
	recorder := httptest.NewRecorder()
	t.lab.service.ServeMux.ServeHTTP(recorder, request)
	answered, _ := io.ReadAll(recorder.Body)
	return valueOf(answered)
}

func (t *tagger) category(name string, kinds ...string) string {
	return t.post("/rest/com/vmware/cis/tagging/category", map[string]interface{}{"create_spec": map[string]interface{}{
		"name": name, "description": "Made by the lab", "cardinality": "SINGLE", "associable_types": kinds,
	}})
}

func (t *tagger) attach(category, name string, object types.ManagedObjectReference) {
	tag := t.post("/rest/com/vmware/cis/tagging/tag", map[string]interface{}{"create_spec": map[string]interface{}{
		"name": name, "description": "", "category_id": category,
	}})
	t.post("/rest/com/vmware/cis/tagging/tag-association/id:"+tag+"?~action=attach", map[string]interface{}{
		"object_id": map[string]string{"type": object.Type, "id": object.Value},
	})
}

func (t *tagger) close() {
	request := httptest.NewRequest(http.MethodDelete, restSessionPath, nil)
	request.Header.Set(restSessionHeader, t.session)
	t.lab.service.ServeMux.ServeHTTP(httptest.NewRecorder(), request)
}
