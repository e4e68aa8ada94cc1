// SPDX-License-Identifier: EUPL-1.2

package rdf_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/piprate/json-gold/ld"

	"skrin/ldp/rdf"
)

// goldDir returns the folder of json-gold's package ld, where the W3C's data for
// JSON-LD is.
func goldDir(t *testing.T) string {
	t.Helper()
	f := runtime.FuncForPC(reflect.ValueOf(ld.NewJsonLdOptions).Pointer())
	file, _ := f.FileLine(f.Entry())
	return filepath.Dir(file)
}

// goldTest is an entry of one of the manifests of JSON-LD's test suite.
type goldTest struct {
	ID            string   `json:"@id"`
	Type          []string `json:"@type"`
	Name          string
	Input, Expect string
	Option        struct{ SpecVersion, ProcessingMode, Base, RdfDirection, ExpandContext string }
}

func goldManifest(t *testing.T, name string) (dir, base string, tests []goldTest) {
	t.Helper()
	dir = filepath.Join(goldDir(t), "testdata")
	var manifest struct {
		BaseIRI  string
		Sequence []goldTest
	}
	if err := json.Unmarshal(readFile(t, filepath.Join(dir, name+"-manifest.jsonld")), &manifest); err != nil {
		t.Fatal(err)
	}
	return dir, manifest.BaseIRI, manifest.Sequence
}

// TestW3CJSONLDToRDF runs the W3C's tests that travel with json-gold. Those that
// fail are in toRDFDiffers, each with its reason.
func TestW3CJSONLDToRDF(t *testing.T) {
	dir, base, tests := goldManifest(t, "toRdf")
	passed, differ := 0, 0
	for _, tt := range tests {
		t.Run(strings.TrimPrefix(tt.ID, "#"), func(t *testing.T) {
			err := runToRDF(t, dir, base, tt)
			why, listed := toRDFDiffers[strings.TrimPrefix(tt.ID, "#")]
			switch {
			case err == nil && listed:
				t.Errorf("passes, and is listed as %q", why)
			case err != nil && !listed:
				t.Errorf("%s: %v", tt.Name, err)
			case err != nil:
				differ++
			default:
				passed++
			}
		})
	}
	t.Logf("%d of %d pass, %d differ and are listed", passed, len(tests), differ)
}

func runToRDF(t *testing.T, dir, base string, tt goldTest) error {
	iri := base + tt.Input
	if tt.Option.Base != "" {
		iri = tt.Option.Base
	}
	lim := rdf.Limits{LoadContext: func(_ context.Context, iri string) ([]byte, error) {
		return os.ReadFile(filepath.Join(dir, strings.TrimPrefix(iri, base)))
	}}
	got, err := rdf.ReadDataset(context.Background(), readFile(t, filepath.Join(dir, tt.Input)), rdf.JSONLD, iri, lim)
	if strings.HasPrefix(tt.Type[0], "jld:Negative") {
		if err == nil {
			return errors.New("read, and is not valid")
		}
		return nil
	}
	if err != nil || tt.Type[0] == "jld:PositiveSyntaxTest" {
		return err
	}
	want, err := rdf.ReadDataset(context.Background(), readFile(t, filepath.Join(dir, tt.Expect)), rdf.NQuads, "", lim)
	if err != nil {
		return fmt.Errorf("the expected quads: %w", err)
	}
	if same, err := rdf.CompareDatasets(got, want, lim); !same {
		return errors.Join(errors.New("another dataset"), err)
	}
	roundTrip(t, got)
	return nil
}

// fromRDFDiffers lists the tests of RDF to JSON-LD whose document does not say
// what the quads say, and why. Ours does.
var fromRDFDiffers = map[string]string{
	"t0016": "the W3C's document forgets that the list has a type",
	"t0027": "useNativeTypes, an option that is not offered, changes lexical forms",
	"tdi05": "rdfDirection, an option that is not normative, is not offered",
	"tdi06": "rdfDirection, an option that is not normative, is not offered",
	"tdi07": "rdfDirection, an option that is not normative, is not offered",
	"tdi08": "rdfDirection, an option that is not normative, is not offered",
	"tdi09": "rdfDirection, an option that is not normative, is not offered",
	"tdi10": "rdfDirection, an option that is not normative, is not offered",
	"tdi11": "rdfDirection, an option that is not normative, is not offered",
	"tdi12": "rdfDirection, an option that is not normative, is not offered",
}

// TestW3CJSONLDFromRDF writes the quads of the W3C's tests as JSON-LD. We write
// another shape than the tests expect, so what is compared is the meaning: ours
// reads back as the quads, and so does the document that is expected.
func TestW3CJSONLDFromRDF(t *testing.T) {
	dir, _, tests := goldManifest(t, "fromRdf")
	for _, tt := range tests {
		name := strings.TrimPrefix(tt.ID, "#")
		t.Run(name, func(t *testing.T) {
			d, err := rdf.ReadDataset(context.Background(), readFile(t, filepath.Join(dir, tt.Input)), rdf.NQuads, "", rdf.Limits{})
			if strings.HasPrefix(tt.Type[0], "jld:Negative") {
				return // about JSON literals that are not JSON: we keep their text
			}
			if err != nil {
				t.Fatal(err)
			}
			roundTrip(t, d)
			if why := fromRDFDiffers[name]; why != "" {
				t.Log(why)
				return
			}
			want, err := rdf.ReadDataset(context.Background(), readFile(t, filepath.Join(dir, tt.Expect)), rdf.JSONLD, "", rdf.Limits{})
			if err != nil {
				t.Fatalf("the expected document: %v", err)
			}
			if same, err := rdf.CompareDatasets(d, want, rdf.Limits{}); !same {
				t.Errorf("the expected document is another dataset (%v)", err)
			}
		})
	}
}
