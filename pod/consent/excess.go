// SPDX-License-Identifier: EUPL-1.2

package consent

import (
	"slices"
	"time"
)

// An Excess is a way in which a request asks for more than its purpose needs, as
// the party's own registration or the type of evidence tells. It is a warning to the
// person: what a registration does not allow at all is refused before she sees it.
type Excess struct {
	Kind    ExcessKind
	Fields  []string // that are asked for too much
	Instead []string // YesOrNo: the derived fields that would do
}

// An ExcessKind says what is too much.
type ExcessKind string

// The kinds of excess, in the order in which they are told.
const (
	Unregistered ExcessKind = "unregistered" // fields that the registration no longer allows
	Everything   ExcessKind = "everything"   // all that the evidence says must be told
	YesOrNo      ExcessKind = "yesorno"      // a datum must be told where a yes or no about it would do
	Needless     ExcessKind = "needless"     // fields must be told without which the purpose can be served
	Later        ExcessKind = "later"        // newer evidence too, where one reading is enough
	Long         ExcessKind = "long"         // for a long time
)

// How long is long: for a purpose for which one reading is enough, and for any.
const (
	longOnce = 31 * 24 * time.Hour
	longEver = 366 * 24 * time.Hour
)

// besides returns those of all that are not among some.
func besides(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(some, s) })
}

// Excess returns in what a request to read asks for too much; nil if in nothing.
// What the person may leave out is never too much.
func (o *Offer) Excess() (all []Excess) {
	r := &o.Request
	if r.Kind != ToRead || len(o.Types) == 0 {
		return nil
	}
	t, u := o.Types[0], &o.Use
	add := func(is bool, e Excess) {
		if is {
			all = append(all, e)
		}
	}
	gone := besides(slices.Concat(r.Fields, r.Optional), u.Fields)
	add(len(gone) > 0, Excess{Kind: Unregistered, Fields: gone})
	add(len(t.Fields) > 1 && len(r.Fields) >= len(t.Fields), Excess{Kind: Everything})
	plain := Excess{Kind: YesOrNo}
	for _, name := range r.Fields {
		if instead := o.answers(name); instead != nil {
			plain.Fields, plain.Instead = append(plain.Fields, name), append(plain.Instead, instead...)
		}
	}
	add(plain.Fields != nil, plain)
	if u.Needs != nil {
		spare := besides(r.Fields, slices.Concat(u.Needs, plain.Fields, gone))
		add(len(spare) > 0, Excess{Kind: Needless, Fields: spare})
	}
	lasts := r.Until.Sub(r.Created)
	add(u.Once && r.Standing, Excess{Kind: Later})
	add(lasts > longEver || u.Once && lasts > longOnce, Excess{Kind: Long})
	return all
}

// answers returns the yes/no fields that are derived from a field and would serve
// the purpose as the party itself sees it: it is registered to ask for them in this
// use, and does not need the field.
func (o *Offer) answers(name string) (instead []string) {
	if slices.Contains(o.Use.Needs, name) {
		return nil
	}
	for _, f := range o.Types[0].Fields {
		if f.From == name && slices.Contains(o.Use.Fields, f.Name) {
			instead = append(instead, f.Name)
		}
	}
	return instead
}
