// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Canonical returns the canonical form of a graph: N-Quads that are the same for
// isomorphic graphs and for no others (RDF Dataset Canonicalization, RDFC-1.0,
// with SHA-256).
//
// Graphs can be made that take more than a lifetime. The error for one is a
// *[LimitError] of lim.Work, after some tens of milliseconds by default; it may
// also be a *[TermError] or that of ctx.
func Canonical(ctx context.Context, g *Graph, lim Limits) ([]byte, error) {
	return canonical(ctx, []named{{graph: g}}, lim)
}

// CanonicalDataset is [Canonical] for a dataset.
func CanonicalDataset(ctx context.Context, d *Dataset, lim Limits) ([]byte, error) {
	return canonical(ctx, d.sorted(), lim)
}

// A quad is a triple in the graph named g, which is zero for the default graph.
type quad struct {
	Triple
	g Term
}

// A canonicalizer holds the state of the algorithm, under the names of section
// 4.2 of the specification.
type canonicalizer struct {
	ctx    context.Context
	quads  map[string][]quad // by the label of a blank node in them
	first  map[string]string // hashes of the first degree, by label
	issued *issuer
	most   int
	work   int // steps that are left
}

// What a step of the algorithm counts as, of Limits.Work: about 10 ns each.
const (
	relatedWork = 50 // hashing one neighbour
	permuteWork = 20 // one node of one permutation
)

func canonical(ctx context.Context, graphs []named, lim Limits) (out []byte, err error) {
	lim = lim.withDefaults()
	c := &canonicalizer{
		ctx: ctx, quads: map[string][]quad{}, first: map[string]string{}, issued: newIssuer("c14n"), most: lim.Work, work: lim.Work,
	}
	all, err := c.collect(graphs)
	if err != nil {
		return nil, err
	}
	if err := parse(c.label); err != nil {
		return nil, err
	}
	lines := make([]string, len(all))
	for i, q := range all {
		lines[i] = q.line(c.issued.name)
	}
	slices.Sort(lines)
	return []byte(strings.Join(slices.Compact(lines), "")), nil
}

// collect returns the quads of the graphs, having checked them.
func (c *canonicalizer) collect(graphs []named) ([]quad, error) {
	var all []quad
	for _, n := range graphs {
		if err := n.check(); err != nil {
			return nil, err
		}
		if err := n.graph.check(); err != nil {
			return nil, err
		}
		for t := range n.graph.All() {
			q := quad{t, n.name}
			all = append(all, q)
			for label := range q.blanks() {
				c.quads[label] = append(c.quads[label], q)
			}
		}
	}
	return all, nil
}

// blanks returns the labels of the blank nodes of q, and their positions.
func (q quad) blanks() map[string]string {
	found := map[string]string{}
	for i, t := range [...]Term{q.S, q.O, q.g} {
		if t.IsBlank() {
			found[t.Value] += "sog"[i : i+1]
		}
	}
	return found
}

// line returns q as canonical N-Quads, with blank nodes renamed.
func (q quad) line(name func(label string) string) string {
	var dst []byte
	for _, t := range [...]Term{q.S, q.P, q.O, q.g} {
		if t.IsZero() {
			continue
		}
		if t.IsBlank() {
			t.Value = name(t.Value)
		}
		dst = append(appendTerm(dst, t), ' ')
	}
	return string(append(dst, ".\n"...))
}

// label gives every blank node its canonical name (section 4.4.3).
func (c *canonicalizer) label() {
	byHash := map[string][]string{}
	for label := range c.quads {
		c.first[label] = c.firstDegree(label)
		byHash[c.first[label]] = append(byHash[c.first[label]], label)
	}
	hashes := slices.Sorted(maps.Keys(byHash))
	for _, hash := range hashes {
		if labels := byHash[hash]; len(labels) == 1 {
			c.issued.issue(labels[0])
		}
	}
	for _, hash := range hashes {
		if labels := byHash[hash]; len(labels) > 1 {
			c.tell(labels)
		}
	}
}

// tell names the nodes that have the same hash of the first degree.
func (c *canonicalizer) tell(labels []string) {
	type result struct {
		hash   string
		issued *issuer
	}
	var results []result
	for _, label := range labels {
		if c.issued.has(label) {
			continue
		}
		temporary := newIssuer("b")
		temporary.issue(label)
		hash, issued := c.nDegree(label, temporary)
		results = append(results, result{hash, issued})
	}
	slices.SortFunc(results, func(a, b result) int { return strings.Compare(a.hash, b.hash) })
	for _, r := range results {
		for _, label := range r.issued.order {
			c.issued.issue(label)
		}
	}
}

// spend counts work, and ends the algorithm when there is none left.
func (c *canonicalizer) spend(work int) {
	if c.work -= work; c.work < 0 {
		panic(fault{&LimitError{"canonicalizing", c.most}})
	}
}

// firstDegree is Hash First Degree Quads (section 4.6).
func (c *canonicalizer) firstDegree(label string) string {
	var lines []string
	for _, q := range c.quads[label] {
		lines = append(lines, q.line(func(other string) string {
			if other == label {
				return "a"
			}
			return "z"
		}))
	}
	slices.Sort(lines)
	return hashText(strings.Join(lines, ""))
}

// related is Hash Related Blank Node (section 4.7).
func (c *canonicalizer) related(label string, q quad, issued *issuer, position string) string {
	c.spend(relatedWork)
	input := position
	if position != "g" {
		input += "<" + q.P.Value + ">"
	}
	switch {
	case c.issued.has(label):
		input += "_:" + c.issued.name(label)
	case issued.has(label):
		input += "_:" + issued.name(label)
	default:
		input += c.first[label]
	}
	return hashText(input)
}

// nDegree is Hash N-Degree Quads (section 4.8).
func (c *canonicalizer) nDegree(label string, issued *issuer) (string, *issuer) {
	if err := c.ctx.Err(); err != nil {
		panic(fault{err})
	}
	byHash := map[string][]string{}
	for _, q := range c.quads[label] {
		for other, positions := range q.blanks() {
			if other == label {
				continue
			}
			for i := range positions {
				hash := c.related(other, q, issued, positions[i:i+1])
				byHash[hash] = append(byHash[hash], other)
			}
		}
	}
	var data strings.Builder
	for _, hash := range slices.Sorted(maps.Keys(byHash)) {
		path, chosen := c.shortestPath(byHash[hash], issued)
		data.WriteString(hash + path)
		issued = chosen
	}
	return hashText(data.String()), issued
}

// shortestPath tries the nodes in every order and returns the least path, with
// the names given on it (section 4.8.3, step 5).
func (c *canonicalizer) shortestPath(labels []string, issued *issuer) (path string, chosen *issuer) {
	slices.Sort(labels)
	for {
		if p, names, ok := c.path(labels, issued, path); ok {
			path, chosen = p, names
		}
		if !nextPermutation(labels) {
			return path, chosen
		}
	}
}

// path returns the path through the nodes in this order; ok is false if it is
// not less than the best so far.
func (c *canonicalizer) path(labels []string, issued *issuer, best string) (path string, names *issuer, ok bool) {
	c.spend(permuteWork * (len(labels) + len(issued.order)))
	names = issued.clone()
	worse := func() bool { return best != "" && len(path) >= len(best) && path > best }
	var recurse []string
	for _, label := range labels {
		if c.issued.has(label) {
			path += "_:" + c.issued.name(label)
		} else {
			if !names.has(label) {
				recurse = append(recurse, label)
			}
			path += "_:" + names.issue(label)
		}
		if worse() {
			return "", nil, false
		}
	}
	for _, label := range recurse {
		hash, then := c.nDegree(label, names)
		path += "_:" + names.issue(label) + "<" + hash + ">"
		names = then
		if worse() {
			return "", nil, false
		}
	}
	return path, names, best == "" || path < best
}

// nextPermutation puts labels in the next order, and reports whether there is
// one. It starts from the sorted order, and skips orders that are the same.
func nextPermutation(labels []string) bool {
	i := len(labels) - 2
	for i >= 0 && labels[i] >= labels[i+1] {
		i--
	}
	if i < 0 {
		return false
	}
	j := len(labels) - 1
	for labels[j] <= labels[i] {
		j--
	}
	labels[i], labels[j] = labels[j], labels[i]
	slices.Reverse(labels[i+1:])
	return true
}

// An issuer names blank nodes in the order in which it is asked.
type issuer struct {
	prefix string
	names  map[string]string
	order  []string
}

func newIssuer(prefix string) *issuer { return &issuer{prefix: prefix, names: map[string]string{}} }

func (s *issuer) has(label string) bool { return s.names[label] != "" }

func (s *issuer) name(label string) string { return s.names[label] }

func (s *issuer) issue(label string) string {
	if !s.has(label) {
		s.names[label] = s.prefix + strconv.Itoa(len(s.order))
		s.order = append(s.order, label)
	}
	return s.names[label]
}

func (s *issuer) clone() *issuer {
	return &issuer{prefix: s.prefix, names: maps.Clone(s.names), order: slices.Clone(s.order)}
}

func hashText(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
