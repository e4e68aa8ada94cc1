// SPDX-License-Identifier: EUPL-1.2

package registry

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"skrin/pod/vocab"
)

// An EvidenceType says what a provider can attest. It is data: a new type is a
// file, no code.
type EvidenceType struct {
	ID     string  `json:"id"`    // "se:af:arbetsloshetsintyg:1"
	IRI    string  `json:"iri"`   // dct:conformsTo of the evidence
	VCT    string  `json:"vct"`   // type of its SD-JWT VC
	Title  Text    `json:"title"` //
	About  Text    `json:"about"` // one sentence for the person
	Basis  string  `json:"basis"` // the law under which it may be released
	Fields []Field `json:"fields"`

	// LifeEvents are those in which people need it, as the vocabulary names
	// them: "have-child" is the term life-event-have-child.
	LifeEvents []string `json:"life_events,omitempty"`
}

// A Field is the smallest fact of a type.
type Field struct {
	Name     string `json:"name"`     // the claim's name in the SD-JWT VC
	Concept  string `json:"concept"`  // IRI of the information concept in RDF
	Datatype string `json:"datatype"` // IRI of the XML Schema datatype: boolean, date, string, integer, anyURI
	Title    Text   `json:"title"`
	Question Text   `json:"question"` // of a yes/no field, for the request page: "Are you registered?"; may be empty
	Derived  bool   `json:"derived"`  // an answer computed by the provider from a datum, which it needs not reveal
	From     string `json:"from"`     // name of the field with that datum; "" if it isn't among the fields

	// Values are what coded values mean, by the value: "http://data.europa.eu/snb/eqf/5"
	// is "Level 5". People read a value that isn't among them as it stands.
	Values map[string]Text `json:"values"`
}

// Field returns the field with the name.
func (t *EvidenceType) Field(name string) (Field, bool) {
	i := slices.IndexFunc(t.Fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return Field{}, false
	}
	return t.Fields[i], true
}

// A Catalogue is the evidence types that a server knows. It isn't changed after
// it was loaded.
type Catalogue struct {
	byID map[string]*EvidenceType
	all  []*EvidenceType
}

// LoadCatalogue reads every .json file of a folder. It refuses types that are
// not whole, and two of one id or one vct.
func LoadCatalogue(fsys fs.FS, dir string) (*Catalogue, error) {
	names, err := fs.Glob(fsys, path.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	c := &Catalogue{byID: map[string]*EvidenceType{}}
	for _, name := range names {
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		t := new(EvidenceType)
		dec := json.NewDecoder(strings.NewReader(string(b)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(t); err != nil {
			return nil, fmt.Errorf("evidence type %s: %w", name, err)
		}
		if err := c.add(t); err != nil {
			return nil, fmt.Errorf("evidence type %s: %w", name, err)
		}
	}
	return c, nil
}

func (c *Catalogue) add(t *EvidenceType) error {
	if err := t.check(); err != nil {
		return err
	}
	for _, other := range c.all {
		if other.ID == t.ID || other.VCT == t.VCT || other.IRI == t.IRI {
			return fmt.Errorf("id, iri or vct is also that of %s", other.ID)
		}
	}
	c.byID[t.ID] = t
	c.all = append(c.all, t)
	return nil
}

// typeID is the form of an evidence type's id: it is part of keys and URLs.
var typeID = regexp.MustCompile(`^[a-z0-9]([a-z0-9:.-]{0,126}[a-z0-9])?$`)

func (t *EvidenceType) check() error {
	if !typeID.MatchString(t.ID) {
		return fmt.Errorf("the id must be of a-z, 0-9, \":\", \".\" and \"-\", at most 128")
	}
	if t.IRI == "" || t.VCT == "" || t.Title.In("en") == "" || len(t.Fields) == 0 {
		return fmt.Errorf("iri, vct, title and fields are all needed")
	}
	seen := map[string]bool{}
	for _, f := range t.Fields {
		if f.Name == "" || f.Concept == "" || f.Title.In("en") == "" {
			return fmt.Errorf("field %q: name, concept, datatype and title are all needed", f.Name)
		}
		if !slices.Contains(datatypes, strings.TrimPrefix(f.Datatype, vocab.XSD)) {
			return fmt.Errorf("field %q: the datatype must be one of %s in %s", f.Name, strings.Join(datatypes, ", "), vocab.XSD)
		}
		if f.Derived && f.Datatype != vocab.XSD+"boolean" {
			return fmt.Errorf("field %q is derived, so it must be yes or no", f.Name)
		}
		if _, ok := t.Field(f.From); f.From != "" && (!ok || !f.Derived) {
			return fmt.Errorf("field %q: from must name the field that it is derived from", f.Name)
		}
		for value, words := range f.Values {
			if value == "" || words.In("en") == "" {
				return fmt.Errorf("field %q: each of the values needs words", f.Name)
			}
		}
		if seen[f.Name] || seen[f.Concept] {
			return fmt.Errorf("field %q stands twice", f.Name)
		}
		seen[f.Name], seen[f.Concept] = true, true
	}
	return nil
}

// datatypes are those of XML Schema that a field can have.
var datatypes = []string{"boolean", "date", "string", "integer", "anyURI"}

// Type returns the type with the id.
func (c *Catalogue) Type(id string) (*EvidenceType, bool) { t, ok := c.byID[id]; return t, ok }

// All returns the types in the order of their files' names.
func (c *Catalogue) All() []*EvidenceType { return c.all }

// Find returns the first type for which ok holds.
func (c *Catalogue) Find(ok func(*EvidenceType) bool) (*EvidenceType, bool) {
	if i := slices.IndexFunc(c.all, ok); i >= 0 {
		return c.all[i], true
	}
	return nil, false
}
