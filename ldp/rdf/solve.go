// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"errors"
	"strings"
)

// errWork is that matching took all the work it may.
var errWork = errors.New("too much work")

// solutionWork is the work that a solution counts as, for the memory it takes.
const solutionWork = 100

// A solution gives each variable a term.
type solution map[string]Term

// bind returns the triple with its variables replaced, and its blank nodes too
// if fresh is not nil; ok is false if a variable has no term.
func (s solution) bind(t Triple, fresh func(Term) Term) (bound Triple, ok bool) {
	ok = true
	term := func(t Term) Term {
		switch {
		case t.Kind == varKind:
			value, has := s[t.Value]
			ok = ok && has
			return value
		case t.Kind == BlankKind && fresh != nil:
			return fresh(t)
		}
		return t
	}
	return Triple{term(t.S), term(t.P), term(t.O)}, ok
}

// A solver finds the solutions of a basic graph pattern (SPARQL 1.1 Query,
// section 18.3) by trying the triples that fit one pattern, then the next.
type solver struct {
	g        *Graph
	patterns []pattern
	bound    []id // by variable; 0 is none yet
	names    []string
	most     int
	work     *int
	found    []solution
	seen     map[string]bool
}

// A pattern is a triple of which each term is a number of the graph, or a
// variable's number.
type pattern struct {
	terms [3]id
	vars  [3]int // -1 if it is a term
	done  bool
}

// solve returns the solutions of the patterns in g, at most as many as are asked
// for. Solutions that differ in hidden variables only are one. No patterns have
// one solution, the empty one.
func solve(g *Graph, patterns []Triple, most int, work *int) ([]solution, error) {
	s := &solver{g: g, most: most, work: work, seen: map[string]bool{}}
	numbers := map[string]int{}
	for _, t := range patterns {
		p, ok := s.pattern(t, numbers)
		if !ok {
			return nil, nil
		}
		s.patterns = append(s.patterns, p)
	}
	s.bound = make([]id, len(s.names))
	if s.step(len(s.patterns)); *work < 0 {
		return nil, errWork
	}
	return s.found, nil
}

// pattern numbers the terms of t; ok is false if g has never seen one of them.
func (s *solver) pattern(t Triple, numbers map[string]int) (p pattern, ok bool) {
	for i, term := range [...]Term{t.S, t.P, t.O} {
		p.vars[i] = -1
		if term.Kind != varKind {
			if p.terms[i] = s.g.dict.find(term); p.terms[i] == 0 {
				return p, false
			}
			continue
		}
		n, known := numbers[term.Value]
		if !known {
			n = len(s.names)
			numbers[term.Value] = n
			s.names = append(s.names, term.Value)
		}
		p.vars[i] = n
	}
	return p, true
}

// step matches one more pattern, of those that are left. It reports false when
// to stop.
func (s *solver) step(left int) bool {
	if left == 0 {
		return s.keep()
	}
	p := s.pick()
	p.done = true
	defer func() { p.done = false }()
	for r := range s.g.match(s.want(p)) {
		if *s.work--; *s.work < 0 {
			return false
		}
		values := [3]id{r.s, r.p, r.o}
		set, fits := s.bind(p, values)
		goOn := !fits || s.step(left-1)
		for i, was := range set {
			if was {
				s.bound[p.vars[i]] = 0
			}
		}
		if !goOn {
			return false
		}
	}
	return true
}

// pick returns the pattern with the fewest rows to look at.
func (s *solver) pick() *pattern {
	var best *pattern
	least := 0
	for i := range s.patterns {
		p := &s.patterns[i]
		*s.work--
		if n := s.cost(p); !p.done && (best == nil || n < least) {
			best, least = p, n
		}
	}
	return best
}

func (s *solver) cost(p *pattern) int {
	want := s.want(p)
	n := s.g.Len()
	if want.s != 0 {
		n = min(n, int(s.g.asSubject(want.s)))
	}
	if want.o != 0 {
		n = min(n, int(s.g.asObject(want.o)))
	}
	if want.p != 0 && n > 0 {
		n = max(n/2, 1)
	}
	return n
}

// want returns the numbers that p asks for as things are.
func (s *solver) want(p *pattern) row {
	terms := p.terms
	for i, v := range p.vars {
		if v >= 0 {
			terms[i] = s.bound[v]
		}
	}
	return row{s: terms[0], p: terms[1], o: terms[2]}
}

// bind gives the unbound variables of p the values, and reports which it gave
// and whether all agree.
func (s *solver) bind(p *pattern, values [3]id) (set [3]bool, fits bool) {
	for i, v := range p.vars {
		switch {
		case v < 0:
		case s.bound[v] == 0:
			s.bound[v], set[i] = values[i], true
		case s.bound[v] != values[i]:
			return set, false
		}
	}
	return set, true
}

// keep notes the solution, and reports whether more are wanted.
func (s *solver) keep() bool {
	found := solution{}
	var key strings.Builder
	for n, name := range s.names {
		if strings.HasPrefix(name, hiddenMark) {
			continue
		}
		found[name] = s.g.dict.terms[s.bound[n]]
		key.WriteString(found[name].String() + " ")
	}
	if !s.seen[key.String()] {
		s.seen[key.String()] = true
		*s.work -= solutionWork
		s.found = append(s.found, found)
	}
	return len(s.found) < s.most && *s.work >= 0
}
