// SPDX-License-Identifier: EUPL-1.2

package rdf_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	knakk "github.com/knakk/rdf"
	"github.com/piprate/json-gold/ld"

	"skrin/ldp/rdf"
)

// people returns a graph of some 10 triples for each of n people, as a pod has
// them: types, links, strings in two languages, dates, numbers, addresses.
func people(n int) *rdf.Graph {
	const foaf, vcard, pod = "http://xmlns.com/foaf/0.1/", "http://www.w3.org/2006/vcard/ns#", "https://pod.example.se/w/"
	g := new(rdf.Graph)
	for i := range n {
		s := rdf.IRI(fmt.Sprintf("%s%08d/profile/card#me", pod, i))
		address := rdf.Blank(fmt.Sprintf("a%d", i))
		add := func(s rdf.Term, p string, o rdf.Term) { g.Add(s, rdf.IRI(p), o) }
		add(s, rdfNS+"type", rdf.IRI(foaf+"Person"))
		add(s, foaf+"name", rdf.String(fmt.Sprintf("Person number %d", i)))
		add(s, foaf+"title", rdf.LangString("handläggare", "sv"))
		add(s, foaf+"title", rdf.LangString("case officer", "en"))
		add(s, foaf+"knows", rdf.IRI(fmt.Sprintf("%s%08d/profile/card#me", pod, (i*7+1)%n)))
		add(s, foaf+"age", rdf.Integer(int64(20+i%60)))
		add(s, vcard+"bday", rdf.Typed(fmt.Sprintf("19%02d-0%d-1%d", i%100, i%9+1, i%9), "http://www.w3.org/2001/XMLSchema#date"))
		add(s, vcard+"hasAddress", address)
		add(address, vcard+"street-address", rdf.String(fmt.Sprintf("Storgatan %d", i%200)))
		add(address, vcard+"locality", rdf.String("Luleå"))
	}
	return g
}

// entries returns a graph of n entries of a log, which is mostly IRIs that are
// long and differ: each triple takes three times the bytes of one of people.
func entries(n int) *rdf.Graph {
	const log, prov, odrl = "https://pod.example.se/w/k7qVT2mXp3Zt9Q/log/2026-11/", "http://www.w3.org/ns/prov#", "http://www.w3.org/ns/odrl/2/"
	g := new(rdf.Graph)
	for i := range n {
		s := rdf.IRI(fmt.Sprintf("%s%016x#entry", log, i*7919))
		add := func(p string, o rdf.Term) { g.Add(s, rdf.IRI(p), o) }
		add(rdfNS+"type", rdf.IRI(prov+"Activity"))
		add(prov+"used", rdf.IRI(fmt.Sprintf("https://pod.example.se/w/k7qVT2mXp3Zt9Q/evidence/%08x/arbetsloshetsintyg.ttl#evidence", i*31)))
		add(prov+"wasAssociatedWith", rdf.IRI(fmt.Sprintf("https://forsakring.example.se/systems/reader/%d#agent", i%50)))
		add(prov+"endedAtTime", rdf.Typed(fmt.Sprintf("2026-11-%02dT10:%02d:%02d.%03dZ", i%28+1, i%60, i%59, i%1000), "http://www.w3.org/2001/XMLSchema#dateTime"))
		add(odrl+"permission", rdf.IRI(fmt.Sprintf("https://pod.example.se/alva/grants/%032x#permission", i%1000)))
		add("http://purl.org/dc/terms/description", rdf.LangString(fmt.Sprintf("Registrerad som arbetssökande lästes av Försäkringen (exempel), ärende %d", i), "sv"))
	}
	return g
}

func document(b testing.TB, g *rdf.Graph, f rdf.Format) []byte {
	b.Helper()
	out, err := rdf.Write(g, f, rdf.WriteOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// measure runs f, and reports what it read or wrote by the processor's time too:
// on a machine that others use, that says more.
func measure(b *testing.B, bytes, triples int, f func() error) {
	b.SetBytes(int64(bytes))
	b.ReportAllocs()
	start := cpuTime(b)
	for b.Loop() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	cpu := (cpuTime(b) - start).Seconds()
	b.ReportMetric(float64(bytes)*float64(b.N)/cpu/1e6, "MB/cpu-s")
	b.ReportMetric(cpu*1e9/float64(triples)/float64(b.N), "cpu-ns/triple")
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// benchGraphs are what is read and written: short triples, and long ones.
func benchGraphs() map[string]*rdf.Graph {
	return map[string]*rdf.Graph{"people": people(10_000), "entries": entries(16_000)}
}

// benchDocument returns one of them as a document, and keeps nothing else alive
// that the garbage collector would look at.
func benchDocument(b *testing.B, name string, f rdf.Format) (body []byte, triples int) {
	g := benchGraphs()[name]
	return document(b, g, f), g.Len()
}

func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"people", "entries"} {
		for _, f := range []rdf.Format{rdf.Turtle, rdf.NTriples} {
			body, triples := benchDocument(b, name, f)
			b.Run(f.String()+"/"+name, func(b *testing.B) {
				measure(b, len(body), triples, func() error {
					_, err := rdf.Read(context.Background(), body, f, "", rdf.Limits{Bytes: len(body)})
					return err
				})
			})
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	for name, g := range benchGraphs() {
		for _, f := range []rdf.Format{rdf.Turtle, rdf.NTriples, rdf.JSONLD} {
			body := document(b, g, f)
			b.Run(f.String()+"/"+name, func(b *testing.B) {
				measure(b, len(body), g.Len(), func() error {
					_, err := rdf.Write(g, f, rdf.WriteOptions{})
					return err
				})
			})
		}
	}
}

// BenchmarkKnakk reads and writes the same documents with knakk/rdf.
func BenchmarkKnakk(b *testing.B) {
	for _, name := range []string{"people", "entries"} {
		for _, f := range []struct {
			ours   rdf.Format
			theirs knakk.Format
		}{{rdf.Turtle, knakk.Turtle}, {rdf.NTriples, knakk.NTriples}} {
			body, count := benchDocument(b, name, f.ours)
			b.Run("Read/"+f.ours.String()+"/"+name, func(b *testing.B) {
				measure(b, len(body), count, func() error {
					_, err := knakk.NewTripleDecoder(bytes.NewReader(body), f.theirs).DecodeAll()
					return err
				})
			})
			triples, err := knakk.NewTripleDecoder(bytes.NewReader(body), f.theirs).DecodeAll()
			if err != nil {
				b.Fatal(err)
			}
			b.Run("Write/"+f.ours.String()+"/"+name, func(b *testing.B) {
				measure(b, len(body), count, func() error {
					e := knakk.NewTripleEncoder(io.Discard, f.theirs)
					return errors.Join(e.EncodeAll(triples), e.Close())
				})
			})
		}
	}
}

// BenchmarkJSONLD reads one document with the wrapper and with bare json-gold.
func BenchmarkJSONLD(b *testing.B) {
	g := people(1000)
	body := document(b, g, rdf.JSONLD)
	b.Run("ours", func(b *testing.B) {
		measure(b, len(body), g.Len(), func() error {
			_, err := rdf.Read(context.Background(), body, rdf.JSONLD, "", rdf.Limits{Bytes: len(body)})
			return err
		})
	})
	b.Run("json-gold", func(b *testing.B) {
		measure(b, len(body), g.Len(), func() error {
			document, err := ld.DocumentFromReader(bytes.NewReader(body))
			if err != nil {
				return err
			}
			_, err = ld.NewJsonLdProcessor().ToRDF(document, ld.NewJsonLdOptions(""))
			return err
		})
	})
}

// profile is a WebID profile of about 1 kB.
const profile = `@prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix solid: <http://www.w3.org/ns/solid/terms#> .
@prefix pim: <http://www.w3.org/ns/pim/space#> .
@prefix ldp: <http://www.w3.org/ns/ldp#> .
@prefix vcard: <http://www.w3.org/2006/vcard/ns#> .
<> a foaf:PersonalProfileDocument ; foaf:maker <#me> ; foaf:primaryTopic <#me> .
<#me> a foaf:Person ;
    foaf:name "Alva (exempel)" ;
    vcard:fn "Alva (exempel)" ;
    solid:oidcIssuer <https://pod.example.se> ;
    pim:storage <https://pod.example.se/alva/> ;
    pim:preferencesFile <https://pod.example.se/alva/settings/prefs.ttl> ;
    ldp:inbox <https://pod.example.se/alva/inbox/> ;
    solid:privateTypeIndex <https://pod.example.se/alva/settings/privateTypeIndex.ttl> ;
    vcard:hasAddress [ a vcard:Home ; vcard:locality "Luleå" ; vcard:country-name "Sverige" ] ;
    foaf:knows <https://pod.example.se/nils/profile/card#me>, <https://pod.example.se/priya/profile/card#me> .
`

func BenchmarkProfile(b *testing.B) {
	const base = "https://pod.example.se/alva/profile/card"
	g, err := rdf.Read(context.Background(), []byte(profile), rdf.Turtle, base, rdf.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	jsonld := document(b, g, rdf.JSONLD)
	for _, f := range []struct {
		name string
		run  func() error
	}{
		{"read Turtle", func() error {
			_, err := rdf.Read(context.Background(), []byte(profile), rdf.Turtle, base, rdf.Limits{})
			return err
		}},
		{"write Turtle", func() error { _, err := rdf.Write(g, rdf.Turtle, rdf.WriteOptions{}); return err }},
		{"write JSON-LD", func() error { _, err := rdf.Write(g, rdf.JSONLD, rdf.WriteOptions{}); return err }},
		{"read JSON-LD", func() error {
			_, err := rdf.Read(context.Background(), jsonld, rdf.JSONLD, base, rdf.Limits{})
			return err
		}},
		{"rename", func() error { g.Rename(strings.ToLower); return nil }},
		{"canonical", func() error { _, err := rdf.Canonical(context.Background(), g, rdf.Limits{}); return err }},
	} {
		b.Run(f.name, func(b *testing.B) {
			measure(b, len(profile), g.Len(), f.run)
		})
	}
}
