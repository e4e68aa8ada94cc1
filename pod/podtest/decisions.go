// SPDX-License-Identifier: EUPL-1.2

package podtest

import "iter"

// A Decision is what somebody asks of P/C/ or of P/C/R in it, in a pod, and the
// answer.
type Decision struct {
	Method   string // of HTTP, or "insert" or "delete", which are patches
	Target   string // "C/" or "C/R"
	OnC, OnR string // modes, of RAWC, that who asks has on the container, and on all in it
	Exists   bool   // the target
	Stranger bool   // who asks; or somebody who has signed in
	Status   int
}

// OfContainer reports whether it is about the container itself, on which nobody
// has OnR: it is asked of whoever has all modes on P/, and OnC on all in it.
func (d *Decision) OfContainer() bool { return d.Target == "C/" && d.Method != "POST" }

// Decisions returns the table that Solid servers agreed on (with a deviation, which
// is marked), for strangers and for who has signed in.
func Decisions() iter.Seq[Decision] {
	return func(yield func(Decision) bool) {
		for _, row := range decisions() {
			for _, stranger := range []bool{true, false} {
				for _, exists := range []bool{true, false} {
					d := Decision{row.method, row.target, row.onC, row.onR, exists, stranger, row.missing}
					if d.OnR == same {
						d.OnR = d.OnC
					}
					if exists {
						d.Status = row.exists
					}
					if d.Status == 401 && !stranger {
						d.Status = 403
					}
					if !yield(d) {
						return
					}
				}
			}
		}
	}
}

const same = "same" // C/R inherits what C/ has

// A decision is a row of the table: 401 stands for whoever is refused.
type decision struct {
	method, target  string
	onC, onR        string
	exists, missing int
}

func decisions() []decision {
	return []decision{
		{"OPTIONS", "C/R", "", "", 204, 204},
		{"OPTIONS", "C/R", "RAW", same, 204, 204},

		{"GET", "C/R", "", same, 401, 401},
		{"HEAD", "C/R", "", same, 401, 401},
		{"GET", "C/R", "", "R", 200, 404},
		{"HEAD", "C/R", "", "R", 200, 404},
		{"GET", "C/R", "R", same, 200, 404},
		{"HEAD", "C/R", "R", same, 200, 404},
		{"GET", "C/R", "R", "W", 401, 401},
		{"GET", "C/", "R", same, 200, 404},
		{"GET", "C/", "W", same, 401, 401},

		{"POST", "C/", "", same, 401, 401},
		{"POST", "C/", "", "R", 401, 401},
		{"POST", "C/", "R", "RAW", 401, 401},
		{"POST", "C/", "A", same, 201, 201},
		{"POST", "C/", "A", "R", 201, 201},
		{"POST", "C/", "RA", same, 201, 201},
		{"POST", "C/", "RA", "R", 201, 201},
		{"POST", "C/", "W", "", 201, 201},

		{"PUT", "C/", "", same, 401, 401},
		{"PUT", "C/", "R", same, 401, 401},
		{"PUT", "C/", "W", same, 204, 201}, // 409 in the original: our decision, a container's own triples can be replaced
		{"PUT", "C/", "A", same, 401, 201},

		{"PUT", "C/R", "", same, 401, 401},
		{"PUT", "C/R", "", "R", 401, 401},
		{"PUT", "C/R", "", "A", 401, 401},
		{"PUT", "C/R", "", "W", 204, 401},
		{"PUT", "C/R", "R", same, 401, 401},
		{"PUT", "C/R", "A", same, 401, 201},
		{"PUT", "C/R", "W", same, 204, 201},
		{"PUT", "C/R", "A", "W", 204, 201},
		{"PUT", "C/R", "C", same, 401, 401},

		{"insert", "C/R", "", same, 401, 401},
		{"insert", "C/R", "", "R", 401, 401},
		{"insert", "C/R", "", "A", 204, 401},
		{"insert", "C/R", "", "W", 204, 401},
		{"insert", "C/R", "A", "W", 204, 201},
		{"insert", "C/R", "A", same, 204, 201},
		{"delete", "C/R", "", same, 401, 401},
		{"delete", "C/R", "", "R", 401, 401},
		{"delete", "C/R", "", "A", 401, 401},
		{"delete", "C/R", "", "W", 401, 401},
		{"delete", "C/R", "A", "W", 401, 401},
		{"delete", "C/R", "", "RW", 204, 401},
		{"delete", "C/R", "RW", same, 204, 409},

		{"DELETE", "C/R", "", same, 401, 401},
		{"DELETE", "C/R", "", "R", 401, 404},
		{"DELETE", "C/R", "", "A", 401, 401},
		{"DELETE", "C/R", "", "W", 401, 401},
		{"DELETE", "C/R", "R", same, 401, 404},
		{"DELETE", "C/R", "A", same, 401, 401},
		{"DELETE", "C/R", "A", "R", 401, 404},
		{"DELETE", "C/R", "W", "R", 401, 404},
		{"DELETE", "C/R", "W", same, 204, 401},
		{"DELETE", "C/R", "W", "A", 401, 401},

		{"DELETE", "C/", "", same, 401, 401},
		{"DELETE", "C/", "R", same, 401, 404},
		{"DELETE", "C/", "A", same, 401, 401},
		{"DELETE", "C/", "W", same, 401, 401},
		{"DELETE", "C/", "RW", same, 204, 404},
	}
}
