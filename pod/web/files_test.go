// SPDX-License-Identifier: EUPL-1.2

package web_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/loan"
)

// files are the files of one person in memory, as far as the pages need them: a
// checking fake of what a pod.Pod does.
type files struct {
	fm    sync.Mutex
	kind  map[ldp.ID]string
	body  map[ldp.ID]string
	loans []loan.Loan
}

func newFiles() *files {
	f := &files{kind: map[ldp.ID]string{}, body: map[ldp.ID]string{}}
	for path, file := range map[ldp.ID][2]string{
		"/alva/": {}, "/alva/evidence/": {}, "/alva/notes/": {}, "/alva/profile/": {}, "/alva/notes/empty/": {},
		"/alva/profile/card":     {"text/turtle", "<#me> a <http://xmlns.com/foaf/0.1/Person> ; <http://xmlns.com/foaf/0.1/familyName> \"<b>Ek\u202e\" ; <http://xmlns.com/foaf/0.1/homepage> <javascript:alert(1)>, <https://alva.example/> ; <http://xmlns.com/foaf/0.1/knows> [] ."},
		"/alva/notes/%C3%A5.txt": {"text/plain", "Hello <script>\u202e\tthere\n"}, "/alva/notes/b%3Cb%3E.txt": {"text/plain", strings.Repeat("å", 9000)},
		"/alva/notes/broken.ttl": {"text/turtle", "<"}, "/alva/notes/page.html": {"text/html", "<script>alert(1)</script>"}, "/alva/notes/picture.png": {"image/png", "\x89PNG"},
		"/alva/evidence/e1": {"text/turtle", "<#e> <https://af.example.se/evidence#registered> true ; <http://purl.org/dc/terms/title> \"Bevis\"@nb ; <https://af.example.se/evidence#check_date> \"2026-11-20\"^^<http://www.w3.org/2001/XMLSchema#date> ."},
	} {
		f.kind[path], f.body[path] = file[0], file[1]
	}
	f.loans = []loan.Loan{
		{On: "/alva/profile/card", To: acl.Public, Modes: acl.Read, Made: true}, {On: "/alva/notes/", To: "https://bob.example/<b>#me", Modes: acl.Read | acl.Write, Below: true},
		{On: "/alva/notes/", Group: "https://friends.example/#us", Modes: acl.Read | acl.Append, Below: true, Narrow: true}, {On: "/alva/notes/page.html", To: acl.Public, Modes: acl.Read},
		{On: "/alva/notes/page.html", To: acl.Authenticated, Modes: acl.Append}, {On: "/alva/notes/page.html", To: "https://eve.example/#me", Modes: acl.Control},
	}
	return f
}

func (f *files) Get(_ context.Context, _ acl.Agent, req ldp.Get) (*ldp.Resource, error) {
	f.fm.Lock()
	defer f.fm.Unlock()
	kind, ok := f.kind[req.ID]
	if !ok {
		return nil, ldp.NotFound
	}
	if !req.ID.IsContainer() {
		return &ldp.Resource{ID: req.ID, Type: kind, Size: int64(len(f.body[req.ID])), Modified: now, Body: io.NopCloser(strings.NewReader(f.body[req.ID]))}, nil
	}
	var members []ldp.Member
	for id, kind := range f.kind {
		if id != req.ID && id.Parent() == req.ID {
			members = append(members, ldp.Member{ID: id, Type: kind, Size: int64(len(f.body[id])), Modified: now})
		}
	}
	slices.SortFunc(members, func(a, b ldp.Member) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return &ldp.Resource{ID: req.ID, Members: func(yield func(ldp.Member, error) bool) {
		for _, m := range members {
			if !yield(m, nil) {
				return
			}
		}
	}}, nil
}

func (f *files) Put(_ context.Context, _ acl.Agent, req ldp.Put) (ldp.Written, error) {
	body, err := io.ReadAll(req.Body)
	f.fm.Lock()
	defer f.fm.Unlock()
	if _, ok := f.kind[req.ID]; ok && len(req.Cond.NoneMatch) > 0 {
		return ldp.Written{}, ldp.Precondition
	}
	f.kind[req.ID], f.body[req.ID] = req.Type, string(body)
	return ldp.Written{ID: req.ID}, err
}

func (f *files) Post(ctx context.Context, who acl.Agent, req ldp.Post) (ldp.Written, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return ldp.Written{}, err
	}
	if strings.HasSuffix(req.Slug, ".acl") {
		return ldp.Written{}, ldp.Forbidden
	}
	return f.Put(ctx, who, ldp.Put{ID: req.ID + ldp.ID(req.Slug), Type: req.Type, Body: strings.NewReader(string(body))})
}

func (f *files) Delete(_ context.Context, _ acl.Agent, req ldp.Delete) error {
	f.fm.Lock()
	defer f.fm.Unlock()
	for id := range f.kind {
		if req.ID.IsContainer() && id.Parent() == req.ID {
			return ldp.Conflict
		}
	}
	if _, ok := f.kind[req.ID]; !ok {
		return ldp.NotFound
	}
	delete(f.kind, req.ID)
	return nil
}

func (f *files) Loans(context.Context, acl.Agent) ([]loan.Loan, error) {
	return slices.Clone(f.loans), nil
}

func (f *files) LoansOn(_ context.Context, _ acl.Agent, id ldp.ID) ([]loan.Loan, error) {
	for up := id; up != ""; up = up.Parent() {
		on := slices.DeleteFunc(slices.Clone(f.loans), func(l loan.Loan) bool { return l.On != up })
		if len(on) > 0 {
			return on, nil
		}
	}
	return nil, nil
}

func (f *files) Lend(_ context.Context, _ acl.Agent, l loan.Loan) error {
	if l.To == "" && l.Group == "" || l.To == "bob" {
		return ldp.Invalid
	}
	f.loans = append(f.loans, l)
	return nil
}

func (f *files) Unlend(_ context.Context, _ acl.Agent, l loan.Loan) error {
	f.loans = slices.DeleteFunc(f.loans, func(x loan.Loan) bool { return x.On == l.On && x.To == l.To && x.Group == l.Group })
	return nil
}
