// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"skrin/ldp/client"
)

// An openAPI is as much of a document as its client needs.
type openAPI struct {
	Servers []struct{ URL string }
	Paths   map[string]map[string]json.RawMessage
	Parts   struct{ Schemas map[string]schema } `json:"components"`
}

type operation struct {
	ID      string `json:"operationId"`
	Answers map[string]struct {
		Content map[string]struct{ Schema schema }
	} `json:"responses"`
}

type schema struct {
	Ref        string `json:"$ref"`
	Type       string
	Properties map[string]schema
	Required   []string
	Enum       []string
	Items      *schema
	More       any `json:"additionalProperties"`
}

// operations are those of the document, by method and path.
func (d *openAPI) operations(t *testing.T) map[string]operation {
	all := map[string]operation{}
	for path, item := range d.Paths {
		for method, text := range item {
			if method == "parameters" {
				continue
			}
			var o operation
			must(t, json.Unmarshal(text, &o))
			all[strings.ToUpper(method)+" "+strings.TrimPrefix(path, "/")] = o
		}
	}
	return all
}

// fault says what of a value isn't as a schema has it; "" if nothing.
func (d *openAPI) fault(s schema, v any) string {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		s = d.Parts.Schemas[name]
	}
	if s.Type == "" {
		return "" // anything
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				return name + " is missing"
			}
		}
		for name, value := range v {
			part, ok := s.Properties[name]
			if !ok && s.More == false {
				return name + " isn't in the document"
			}
			if fault := d.fault(part, value); ok && fault != "" {
				return name + ": " + fault
			}
		}
		return wrong(s, "object")
	case []any:
		for _, value := range v {
			if s.Items == nil {
				return wrong(s, "array")
			}
			if fault := d.fault(*s.Items, value); fault != "" {
				return fault
			}
		}
		return wrong(s, "array")
	case string:
		if s.Enum != nil && !slices.Contains(s.Enum, v) {
			return v + " is none of the values"
		}
		return wrong(s, "string")
	case float64:
		return wrong(s, "integer")
	case bool:
		return wrong(s, "boolean")
	}
	return fmt.Sprintf("%T", v)
}

func wrong(s schema, is string) string {
	if s.Type != is {
		return "it is " + is + ", and not " + s.Type
	}
	return ""
}

// An apiClient is made from the document: it calls an operation by its name, and
// takes no answer that the document doesn't have.
type apiClient struct {
	t    *testing.T
	doc  openAPI
	base string
	as   *client.Client
	used map[string]bool
}

func (c *apiClient) call(name, id, body string, want int, header ...string) map[string]any {
	c.t.Helper()
	for at, o := range c.doc.operations(c.t) {
		if o.ID != name {
			continue
		}
		c.used[at] = true
		method, path, _ := strings.Cut(at, " ")
		query := ""
		if strings.HasPrefix(id, "?") {
			query, id = id, ""
		}
		target := c.base + c.doc.Servers[0].URL + strings.Replace(path, "{id}", url.PathEscape(id), 1) + query
		req, err := http.NewRequest(method, target, strings.NewReader(body))
		must(c.t, err)
		req.Header.Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		do := c.as.Do
		if c.as.Issuer == "" {
			do = http.DefaultClient.Do
		}
		resp, err := do(req)
		must(c.t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		must(c.t, err)
		var answer map[string]any
		must(c.t, json.Unmarshal(text, &answer))
		media, ok := o.Answers[strconv.Itoa(resp.StatusCode)].Content[resp.Header.Get("Content-Type")]
		if fault := c.doc.fault(media.Schema, answer); resp.StatusCode != want || !ok || media.Schema.Type+media.Schema.Ref == "" || fault != "" {
			c.t.Errorf("%s %q: %d %s (in the document: %t, %s), want %d", name, id, resp.StatusCode, text, ok, fault, want)
		}
		return answer
	}
	c.t.Fatalf("the document has no operation %q", name)
	return nil
}

// job starts one, and waits for its end.
func (c *apiClient) job(do string) map[string]any {
	c.t.Helper()
	begun := c.call("startJob", "", `{"do":"`+do+`"}`, 201)
	for {
		j := c.call("showJob", begun["id"].(string), "", 200)
		if j["state"] != "running" {
			return j
		}
	}
}

// operatesPods lists, shows and erases, together with the one who works on the
// machine. Whose pod a pairwise address is in it isn't told.
func (w *county) operatesPods(c *apiClient) {
	w.t.Helper()
	var roots []string
	for _, name := range []string{"one", "other"} {
		owner, err := w.nodes[0].pod.Make(w.t.Context(), name)
		must(w.t, err)
		roots = append(roots, strings.TrimSuffix(string(owner.ID), "profile/card#me"))
	}
	all := c.call("listPods", "", "", 200)["holdings"].([]any)
	if len(all) != 2 {
		w.t.Fatalf("pods: %v", all)
	}
	id := all[0].(map[string]any)["id"].(string)
	if rest := c.call("listPods", "?after="+id, "", 200)["holdings"].([]any); len(rest) != 1 {
		w.t.Errorf("after the first: %v", rest)
	}
	c.call("listPods", "?most=many", "", 400)
	c.call("listPods", "?at=https://elsewhere.example/x", "", 400)
	c.call("listPods", "?at="+url.QueryEscape(w.base+"/w/k7q/card"), "", 403)
	c.call("listPods", "?at="+url.QueryEscape(w.base+"/nobody/"), "", 404)
	found := c.call("listPods", "?at="+url.QueryEscape(roots[0]+"profile/card"), "", 200)["holdings"].([]any)
	first := found[0].(map[string]any)
	if h := c.call("showPod", first["id"].(string), "", 200); h["root"] != roots[0] || h["bytes"].(float64) < 1000 {
		w.t.Errorf("shown: %v", h)
	}
	c.call("showPod", "none", "", 404)
	asked := c.call("erasePod", first["id"].(string), "", 202)
	must(w.t, approveAs(w.nodes[0], "eva", asked["id"].(string)))
	c.call("erasePod", first["id"].(string), "", 200)
	c.call("showPod", first["id"].(string), "", 404)
}

func approveAs(s *server, by, id string) error {
	_, err := s.acts.approve(context.Background(), by, id)
	return err
}

// TestOpenAPI: the admin API's document is OpenAPI 3.1 as somebody else's validator
// has it, names each verb that is served and no other, and a client that is made
// from it gets no answer that isn't in it.
func TestOpenAPI(t *testing.T) {
	needClients(t)
	w := newCounty(t, 1, keep{})
	w.operable()
	w.nodes[0].TwoPeople = time.Hour
	resp, err := http.Get(w.base + "/.admin/openapi.json")
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	var judged struct {
		Valid           bool
		Version, Errors string
	}
	(&running{t: t}).node("openapi.js", nil, json.RawMessage(text), &judged)
	if !judged.Valid || judged.Version != "3.1" {
		t.Fatalf("%+v", judged)
	}
	anna := &anywhere{Server: w.base, Operator: "anna", Key: w.anna}
	as, err := anna.client()
	must(t, err)
	c := &apiClient{t: t, base: w.base, as: as, used: map[string]bool{}}
	must(t, json.Unmarshal(text, &c.doc))
	var served []string
	for _, v := range adminVerbs() {
		served = append(served, v.method+" "+v.path)
	}
	slices.Sort(served)
	if named := slices.Sorted(maps.Keys(c.doc.operations(t))); !slices.Equal(named, served) {
		t.Fatalf("named %q, served %q", named, served)
	}
	file, _ := w.party()
	registration, _ := json.Marshal(file)
	id := file.ID
	c.call("showParty", id, "", 404)
	c.call("addParty", id, "{}", 422)
	c.call("addParty", id, string(registration), 201)
	c.call("addParty", id, string(registration), 200)
	c.call("addParty", id, string(registration), 412, "If-None-Match", "*")
	c.call("addParty", id, strings.Repeat(" ", 61<<10), 413)
	c.call("showParty", id, "", 200)
	c.call("listParties", "", "", 200)
	c.call("renewParty", id, `{"until":"`+time.Now().AddDate(2, 0, 0).Format(time.DateOnly)+`"}`, 200)
	c.call("renewParty", id, `{"until":"soon"}`, 422)
	c.call("renewParty", id, `x`, 400)
	c.call("revokeParty", id, "", 200)
	c.call("revokeParty", "nobody", "", 404)
	c.call("renewParty", id, `{"until":"2028-01-01"}`, 409)
	_, _ = send(t.Context(), w.c, errand{Do: "replace signing keys"}) // it waits
	waits := c.call("listApprovals", "", "", 200)["approvals"].([]any)
	c.call("approve", waits[0].(map[string]any)["id"].(string), "", 200)
	c.call("approve", waits[0].(map[string]any)["id"].(string), "", 409)
	c.call("approve", "none", "", 404)
	if lines := c.call("operatorLog", "", "", 200)["lines"].(float64); lines < 10 {
		t.Errorf("the log has %v lines", lines)
	}
	c.call("listTypes", "", "", 200)
	c.call("showType", "se:af:arbetsloshetsintyg:1", "", 200)
	c.call("showType", "none", "", 404)
	w.operatesPods(c)
	c.call("rotateKeys", "", `{}`, 200)
	c.call("rotateKeys", "", `x`, 400)
	c.call("rotateKeys", "", `{"stolen":true}`, 202)
	for _, do := range []string{"fsck", "stats", "rotate"} {
		if o := c.job(do); o["state"] != "done" {
			t.Errorf("%s: %v", do, o)
		}
	}
	c.call("startJob", "", `{"do":"backup"}`, 409)
	w.nodes[0].Backups, w.nodes[0].BackupKeys = filepath.Join(w.dir, "backups"), filepath.Join(w.dir, "backup-keys")
	if o := c.job("backup"); o["state"] != "done" {
		t.Errorf("%v", o)
	}
	if all, err := filepath.Glob(filepath.Join(w.dir, "backups", "*", "store", "*")); err != nil || len(all) == 0 {
		t.Errorf("the backup holds %v, %v", all, err)
	}
	c.call("startJob", "", `{"do":"export"}`, 422)
	c.call("showJob", "none", "", 404)
	w.nodes[0].operators["anna"] = operator{operatorFile: operatorFile{ID: "anna", May: []string{mayParties}}, until: w.nodes[0].operators["anna"].until}
	c.call("erasePod", "x", "", 403)
	c.call("listPods", "", "", 403)
	c.call("rotateKeys", "", `{}`, 403)
	c.call("startJob", "", `{"do":"fsck"}`, 403)
	c.as = &client.Client{}
	c.call("listParties", "", "", 401)
	if len(c.used) != len(served) {
		t.Errorf("only %v were called", c.used)
	}
}
