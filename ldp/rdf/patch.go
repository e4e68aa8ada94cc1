// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"errors"
	"slices"
	"strconv"
)

// A Patch is a change to one graph, as [ParseN3Patch] and [ParseSPARQLUpdate]
// read it. It may be applied any number of times.
type Patch struct {
	steps []step
	lim   Limits
}

// A step finds the solutions of where, and for each takes out deletes and puts
// in inserts, all deletes first. Terms may be variables.
type step struct {
	where, deletes, inserts []Triple

	// exact is what N3 Patch demands: where has one solution, and all that is
	// deleted is there.
	exact bool
}

// HasWhere reports whether the patch has a condition, and so needs to read.
func (p *Patch) HasWhere() bool {
	return slices.ContainsFunc(p.steps, func(s step) bool { return len(s.where) > 0 })
}

// HasInserts reports whether the patch may insert, and so needs to append.
func (p *Patch) HasInserts() bool {
	return slices.ContainsFunc(p.steps, func(s step) bool { return len(s.inserts) > 0 })
}

// HasDeletes reports whether the patch may delete, and so needs to read and to
// write.
func (p *Patch) HasDeletes() bool {
	return slices.ContainsFunc(p.steps, func(s step) bool { return len(s.deletes) > 0 })
}

// Apply changes g, or leaves it as it was and returns an error: [ErrNoMatch],
// [ErrAmbiguous], [ErrMissing] or [ErrInvalid], or a *[LimitError] if matching
// takes too much work or the graph would have too many triples.
//
// Blank nodes that the patch inserts are new to g.
func (p *Patch) Apply(g *Graph) error {
	work := p.lim.Work
	var done journal
	for _, s := range p.steps {
		if err := s.apply(g, &done, &work, p.lim); err != nil {
			done.undo(g)
			if errors.Is(err, errWork) {
				return &LimitError{"matching", p.lim.Work}
			}
			return err
		}
	}
	return nil
}

func (s step) apply(g *Graph, done *journal, work *int, lim Limits) error {
	most := lim.Work
	if s.exact {
		most = 2
	}
	solutions, err := solve(g, s.where, most, work)
	if err != nil {
		return err
	}
	if s.exact && len(solutions) != 1 {
		if len(solutions) == 0 {
			return ErrNoMatch
		}
		return ErrAmbiguous
	}
	if err := s.delete(g, solutions, done, work); err != nil {
		return err
	}
	return s.insert(g, solutions, done, work, lim)
}

func (s step) delete(g *Graph, solutions []solution, done *journal, work *int) error {
	for _, found := range solutions {
		if *work -= len(s.deletes); *work < 0 {
			return errWork
		}
		for _, t := range s.deletes {
			d, ok := found.bind(t, nil)
			if s.exact && (!ok || !g.Has(d.S, d.P, d.O)) {
				return ErrMissing
			}
			if ok && !s.exact {
				done.remove(g, d)
			}
		}
	}
	if s.exact { // only once all are known to be there: one may be named twice
		for _, t := range s.deletes {
			d, _ := solutions[0].bind(t, nil)
			done.remove(g, d)
		}
	}
	return nil
}

func (s step) insert(g *Graph, solutions []solution, done *journal, work *int, lim Limits) error {
	for _, found := range solutions {
		if *work -= len(s.inserts); *work < 0 {
			return errWork
		}
		fresh := map[Term]Term{}
		for _, t := range s.inserts {
			d, ok := found.bind(t, func(b Term) Term {
				if fresh[b].IsZero() {
					fresh[b] = g.Fresh()
				}
				return fresh[b]
			})
			if ok && d.check() != nil {
				if s.exact {
					return ErrInvalid
				}
				continue // SPARQL 1.1 Update, section 3.1.3
			}
			if ok {
				done.add(g, d)
			}
		}
		if g.Len() > lim.Triples {
			return &LimitError{"triples", lim.Triples}
		}
	}
	return nil
}

// A journal is what was done to a graph, to undo it.
type journal []change

type change struct {
	Triple
	added bool
}

func (j *journal) add(g *Graph, t Triple) {
	if g.Add(t.S, t.P, t.O) {
		*j = append(*j, change{t, true})
	}
}

func (j *journal) remove(g *Graph, t Triple) {
	if g.Remove(t.S, t.P, t.O) {
		*j = append(*j, change{t, false})
	}
}

func (j journal) undo(g *Graph) {
	for _, c := range slices.Backward(j) {
		if c.added {
			g.Remove(c.S, c.P, c.O)
		} else {
			g.Add(c.S, c.P, c.O)
		}
	}
}

// hideBlanks turns the blank nodes of a condition into variables, which is what
// they mean there, under names that no variable has.
func hideBlanks(where []Triple) []Triple {
	hide := func(t Term) Term {
		if t.Kind == BlankKind {
			return Term{Kind: varKind, Value: hiddenMark + t.Value}
		}
		return t
	}
	hidden := make([]Triple, len(where))
	for i, t := range where {
		hidden[i] = Triple{hide(t.S), hide(t.P), hide(t.O)}
	}
	return hidden
}

const hiddenMark = "_:"

// variables returns the variables of patterns.
func variables(patterns []Triple) map[string]bool {
	found := map[string]bool{}
	for _, t := range patterns {
		for _, term := range [...]Term{t.S, t.P, t.O} {
			if term.Kind == varKind {
				found[term.Value] = true
			}
		}
	}
	return found
}

// hasBlank reports whether a pattern has a blank node.
func hasBlank(patterns []Triple) bool {
	return slices.ContainsFunc(patterns, func(t Triple) bool { return t.S.IsBlank() || t.O.IsBlank() })
}

// formulaTerm stands for the nth formula of a document.
func formulaTerm(n int) Term { return Term{Kind: formulaKind, Value: strconv.Itoa(n)} }
