// SPDX-License-Identifier: EUPL-1.2

package demo

import (
	"encoding/json"
	"io/fs"
	"time"

	"skrin/fixtures"
)

// A Person is one of the cast: synthetic, with a number of the authorities'
// published test series.
type Person struct {
	Name       string
	Short      string            // "alva"
	About      map[string]string // by language: sv, nb, nn, en
	Scheme     string            // of the number: "se:personnummer"
	Number     string
	Later      []Number  // those that replace it, in order
	Registered time.Time // first day as a jobseeker; zero for one who is not registered
}

// A Number is one by which an authority knows a person.
type Number struct{ Scheme, Number string }

// People returns the cast, always in the same order. It panics if the embedded
// file is not as it should be.
func People() []Person {
	var all []struct {
		Name, Short, Scheme, Number, Registered string
		About                                   map[string]string
		Later                                   []Number
	}
	mustRead("cast/people.json", &all)
	people := make([]Person, len(all))
	for i, p := range all {
		people[i] = Person{p.Name, p.Short, p.About, p.Scheme, p.Number, p.Later, time.Time{}}
		if p.Registered == "" {
			continue
		}
		day, err := time.Parse(time.DateOnly, p.Registered)
		if err != nil {
			panic("cast/people.json: " + err.Error())
		}
		people[i].Registered = day
	}
	return people
}

// A certificate is the type of evidence that the authority issues and the
// insurer asks for.
type certificate struct {
	ID, IRI, VCT string
	Title        map[string]string
	Fields       []struct {
		Name, Concept, Datatype string
		Title                   map[string]string
		Values                  map[string]map[string]string // what coded values mean
	}
}

func unemployment() certificate {
	var c certificate
	mustRead("types/arbetsloshetsintyg.json", &c)
	return c
}

// concept gives the IRI of a field's concept.
func (c *certificate) concept(field string) string {
	for _, f := range c.Fields {
		if f.Name == field {
			return f.Concept
		}
	}
	return ""
}

// title gives a field's name in words.
func (c *certificate) title(field, lang string) string {
	for _, f := range c.Fields {
		if f.Name == field {
			return f.Title[lang]
		}
	}
	return field
}

// words gives what a value of a field means, or the value.
func (c *certificate) words(field, value, lang string) string {
	for _, f := range c.Fields {
		if words := f.Values[value][lang]; f.Name == field && words != "" {
			return words
		}
	}
	return value
}

func mustRead(name string, into any) {
	text, err := fixtures.Files.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		panic(name + ": " + err.Error())
	}
}

// mustReadAll reads all files that a pattern names, in their order.
func mustReadAll[T any](pattern string) []T {
	names, err := fs.Glob(fixtures.Files, pattern)
	if err != nil {
		panic(err)
	}
	all := make([]T, len(names))
	for i, name := range names {
		mustRead(name, &all[i])
	}
	return all
}
