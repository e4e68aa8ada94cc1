// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skrin/cmd/skrin/demo"
	"skrin/pod/extract"
)

// TestLogVerify: what the server exports is verified with the keys that it
// publishes, and not when a line is missing.
func TestLogVerify(t *testing.T) {
	r := startDemo(t, t.TempDir())
	b := newBrowser(t)
	r.connect(b, "Alva Lindqvist")
	who, err := r.vault.Person(t.Context(), "se:personnummer", demo.People()[0].Number)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := r.pod.Owner(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, content []byte) string {
		name = filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	export := func() []byte {
		var log bytes.Buffer
		if err := r.pod.ExportLog(t.Context(), owner, extract.Lines, &log); err != nil {
			t.Fatal(err)
		}
		return log.Bytes()
	}
	resp, err := http.Get(r.Base + "/.oidc/jwks")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	published, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	keys, earlier := file("keys.json", published), file("earlier.jsonl", export())
	r.ask(b)
	r.fetch(b)
	b.open(r.Base + "/me/log")
	b.press("Ladda ner")
	_, saved, _ := strings.Cut(b.seen[len(b.seen)-1], "\n")
	later := []byte(saved)
	var said bytes.Buffer
	if err := (&logVerifyCommand{File: file("log.jsonl", later), Keys: keys, Since: earlier}).verify(&said); err != nil || !strings.HasPrefix(said.String(), "The log is whole: 3 entries") {
		t.Errorf("said %q, %v", said.String(), err)
	}
	cut := append(bytes.SplitAfter(later, []byte("\n"))[0], bytes.SplitAfter(later, []byte("\n"))[2]...)
	said.Reset()
	asJSON, whole := logVerifyCommand{printed: printed{JSON: true}, File: file("log.jsonl", later), Keys: keys}, wholeLog{}
	if err := asJSON.verify(&said); err != nil || json.Unmarshal(said.Bytes(), &whole) != nil || whole.Entries != 3 || whole.Signed.IsZero() || !strings.HasPrefix(whole.Signer, "localhost") {
		t.Errorf("%v: %s", err, said.String())
	}
	if err := (&logVerifyCommand{File: file("cut.jsonl", cut), Keys: keys}).verify(io.Discard); err == nil {
		t.Error("a log without its second entry is taken")
	}
	if err := (&logVerifyCommand{File: earlier, Keys: keys, Since: file("log.jsonl", later)}).verify(io.Discard); err == nil {
		t.Error("a log that has become shorter is taken")
	}
}
