// SPDX-License-Identifier: EUPL-1.2

package ldp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"skrin/ldp/rdf"
)

// A listing is written in parts, so that a container of any size costs the
// memory of one part. A part is sent when it has grown to this many bytes; a
// failure before that is still answered as one.
const part = 32 << 10

const (
	nsStat  = "http://www.w3.org/ns/posix/stat#"
	nsTerms = "http://purl.org/dc/terms/"
	nsXSD   = "http://www.w3.org/2001/XMLSchema#"
	nsMedia = "http://www.w3.org/ns/iana/media-types/"
)

// A syntax writes a container and its members in one of the formats.
type syntax interface {
	open(b []byte, g *reading) ([]byte, error)
	member(b []byte, g *reading, m Member) []byte
	close(b []byte, g *reading) ([]byte, error)
}

func (g *reading) list() error {
	var s syntax = &turtleListing{}
	if g.picked == typeJSONLD {
		s = &jsonListing{}
	}
	g.set("Content-Type", g.picked)
	if g.r.Method == http.MethodHead {
		g.w.WriteHeader(http.StatusOK)
		return nil
	}
	b, err := s.open(make([]byte, 0, part/4), g)
	if err != nil {
		return err
	}
	if !g.bare {
		for m, err := range g.res.Members {
			if err != nil {
				return fmt.Errorf("list: %w", err)
			}
			if b = s.member(b, g, m); len(b) >= part {
				if err := g.flush(b); err != nil {
					return err
				}
				b = b[:0]
			}
		}
	}
	if b, err = s.close(b, g); err != nil {
		return err
	}
	if !g.sent {
		g.set("Content-Length", strconv.Itoa(len(b)))
	}
	return g.flush(b)
}

func (g *reading) flush(b []byte) error {
	if !g.sent {
		g.sent = true
		g.w.WriteHeader(http.StatusOK)
	}
	_, err := g.w.Write(b)
	return err
}

// turtleListing writes IRIs that are relative to the container's, which it names as
// the base: absolute ones would be twice as long. An [ID] can stand between angle
// brackets as it is; a media type is checked first.
type turtleListing struct{}

func (*turtleListing) open(b []byte, g *reading) ([]byte, error) {
	b = append(b, "@prefix ldp: <"+nsLDP+">.\n@prefix dcterms: <"+nsTerms+">.\n@prefix stat: <"+nsStat+">.\n@prefix xsd: <"+nsXSD+">.\n@base <"...)
	b = append(b, g.Base...)
	b = append(b, g.id...)
	b = append(b, ">.\n\n<> a ldp:Container, ldp:BasicContainer, ldp:Resource"...)
	if g.res.Root {
		b = append(b, ", <"+nsPIM+"Storage>"...)
	}
	return append(turtleTimes(b, g.res.Modified), ".\n"...), nil
}

func (*turtleListing) member(b []byte, g *reading, m Member) []byte {
	name := m.ID[len(g.id):]
	b = append(b, "<> ldp:contains "...)
	b = relative(b, name)
	b = append(b, ".\n"...)
	b = relative(b, name)
	b = append(b, " a ldp:Resource"...)
	if m.ID.IsContainer() {
		b = append(b, ", ldp:Container, ldp:BasicContainer"...)
	} else {
		if media, ok := mediaName(m.Type); ok {
			b = append(b, ", <"+nsMedia...)
			b = append(b, media...)
			b = append(b, "#Resource>"...)
		}
		b = append(b, "; stat:size "...)
		b = strconv.AppendInt(b, m.Size, 10)
	}
	return append(turtleTimes(b, m.Modified), ".\n"...)
}

func (*turtleListing) close(b []byte, g *reading) ([]byte, error) {
	if g.res.Graph == nil {
		return b, nil
	}
	own, err := rdf.Write(g.res.Graph, rdf.Turtle, rdf.WriteOptions{})
	if err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	return append(b, own...), nil
}

// relative writes a reference to a member. Before a colon stands the scheme of an
// absolute IRI, if no slash does (RFC 3986, section 4.2).
func relative(b []byte, name ID) []byte {
	b = append(b, '<')
	if strings.IndexByte(string(name), ':') >= 0 {
		b = append(b, "./"...)
	}
	b = append(b, name...)
	return append(b, '>')
}

func turtleTimes(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	b = append(b, `; dcterms:modified "`...)
	b = t.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `"^^xsd:dateTime; stat:mtime `...)
	return strconv.AppendInt(b, t.Unix(), 10)
}

// mediaName returns a media type without parameters, if it can stand in an IRI.
func mediaName(media string) (string, bool) {
	media = bare(media)
	slash := 0
	for i := 0; i < len(media); i++ {
		switch c := media[i]; {
		case c == '/':
			slash++
		case !unreserved(c) && c != '+':
			return "", false
		}
	}
	return media, slash == 1
}

// jsonListing writes one node with its members nested, and the container's own
// triples as nodes beside it.
type jsonListing struct{ members int }

func (*jsonListing) open(b []byte, g *reading) ([]byte, error) {
	b = append(b, `{"@context":{"ldp":"`+nsLDP+`","dcterms":"`+nsTerms+`","stat":"`+nsStat+`","xsd":"`+nsXSD+`"},"@graph":[{"@id":"`...)
	b = append(b, g.Base...)
	b = append(b, g.id...)
	b = append(b, `","@type":["ldp:Container","ldp:BasicContainer","ldp:Resource"`...)
	if g.res.Root {
		b = append(b, `,"`+nsPIM+`Storage"`...)
	}
	b = append(b, ']')
	b = jsonTimes(b, g.res.Modified)
	if !g.bare {
		b = append(b, `,"ldp:contains":[`...)
	}
	return b, nil
}

func (l *jsonListing) member(b []byte, g *reading, m Member) []byte {
	if l.members++; l.members > 1 {
		b = append(b, ',')
	}
	b = append(b, "\n{\"@id\":\""...)
	b = append(b, g.Base...)
	b = append(b, m.ID...)
	b = append(b, `","@type":["ldp:Resource"`...)
	if m.ID.IsContainer() {
		b = append(b, `,"ldp:Container","ldp:BasicContainer"]`...)
	} else {
		if media, ok := mediaName(m.Type); ok {
			b = append(b, `,"`+nsMedia...)
			b = append(b, media...)
			b = append(b, `#Resource"`...)
		}
		b = append(b, `],"stat:size":`...)
		b = strconv.AppendInt(b, m.Size, 10)
	}
	return append(jsonTimes(b, m.Modified), '}')
}

func (*jsonListing) close(b []byte, g *reading) ([]byte, error) {
	if !g.bare {
		b = append(b, "\n]"...)
	}
	b = append(b, '}')
	if g.res.Graph != nil {
		for t := range g.res.Graph.All() {
			node, err := json.Marshal(map[string]any{"@id": nodeName(t.S), t.P.Value: object(t.O)})
			if err != nil {
				return nil, fmt.Errorf("write: %w", err)
			}
			b = append(append(b, ",\n"...), node...)
		}
	}
	return append(b, "]}\n"...), nil
}

func jsonTimes(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	b = append(b, `,"dcterms:modified":{"@type":"xsd:dateTime","@value":"`...)
	b = t.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `"},"stat:mtime":`...)
	return strconv.AppendInt(b, t.Unix(), 10)
}

// object is a term as expanded JSON-LD has it.
func object(t rdf.Term) map[string]string {
	switch {
	case !t.IsLiteral():
		return map[string]string{"@id": nodeName(t)}
	case t.Lang != "":
		return map[string]string{"@value": t.Value, "@language": t.Lang}
	}
	return map[string]string{"@value": t.Value, "@type": t.DatatypeIRI()}
}

func nodeName(t rdf.Term) string {
	if t.IsBlank() {
		return "_:" + strings.TrimPrefix(t.Value, "_:")
	}
	return t.Value
}
