// SPDX-License-Identifier: EUPL-1.2

package web

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"skrin/ldp"
	"skrin/ldp/rdf"
)

// How much of files the pages show, and take.
const (
	filesPage = 100       // of a folder, on a page
	shown     = 8 << 10   // bytes of a text
	readable  = 64 << 10  // bytes of a document of data that is put into words: what needs no turn (ldp.Turns)
	statement = 200       // of these on a page
	maxTyped  = 1000      // bytes of a name that can't be taken, to be mended
	maxUpload = 513 << 20 // bytes of a form with a file; how large the file may be, the pod says
)

const filesPath = "/me/files/"

// root returns the folder that holds all of the person's files.
func (v *visit) root() ldp.ID {
	path, _ := strings.CutPrefix(string(cmp.Or(v.who.For, v.who.ID)), v.Base)
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return ldp.ID("/" + name + "/")
}

// at returns the file or folder that the address names.
func (v *visit) at() (ldp.ID, error) {
	path := string(v.root()) + strings.TrimPrefix(v.r.URL.EscapedPath(), filesPath)
	if canonical, ok := ldp.Respell(path); ok {
		path = canonical
	}
	id, err := ldp.ParseID(path)
	if err != nil {
		return "", ldp.NotFound
	}
	return id, nil
}

// address returns where the page of a file or folder is.
func (v *visit) address(id ldp.ID) string {
	return filesPath + strings.TrimPrefix(string(id), string(v.root()))
}

// fileName is how a path is written to people.
func fileName(path string) string {
	path = strings.TrimSuffix(path, "/")
	if name, err := url.PathUnescape(path); err == nil {
		path = name
	}
	return plain(path)
}

// A crumb is a folder above.
type crumb struct{ Name, URL string }

// A place is what the pages of files and folders have in common.
type place struct {
	Name    string
	Above   []crumb
	Here    string // address, for forms
	Fixed   bool   // it can't be changed here, and is not shared here
	Lent    []lent
	Lend    lending
	Trouble string // what is wrong, and at which field
	Field   string
	Typed   string // into it
	About   string
	Folder  bool
}

func (v *visit) place(id ldp.ID) (place, error) {
	p := place{Name: fileName(string(id.Name())), Here: v.address(id), Fixed: v.fixed(id), Folder: id.IsContainer()}
	if id == v.root() {
		p.Name = v.t("nav.files")
	}
	for up := id; up != v.root(); {
		up = up.Parent()
		name := fileName(string(up.Name()))
		if up == v.root() {
			name = v.t("nav.files")
		}
		p.Above = append(p.Above, crumb{name, v.address(up)})
	}
	slices.Reverse(p.Above)
	p.About = v.about(id)
	var err error
	p.Lent, err = v.lentAt(id)
	return p, err
}

// fixed reports whether a resource is kept by the server or needed by apps, so
// that the pages leave it as it is.
func (v *visit) fixed(id ldp.ID) bool {
	rest := strings.TrimPrefix(string(id), string(v.root()))
	return strings.HasPrefix(rest, "evidence/") || rest == "profile/card"
}

// known says what the folders are for with which everybody begins.
var known = map[string]string{
	"evidence/": "files.known.evidence", "inbox/": "files.known.inbox", "profile/": "files.known.profile", "settings/": "files.known.settings",
}

func (v *visit) about(id ldp.ID) string {
	if key, ok := known[strings.TrimPrefix(string(id), string(v.root()))]; ok {
		return v.t(key)
	}
	if strings.HasPrefix(strings.TrimPrefix(string(id), string(v.root())), "evidence/") {
		return v.t("files.known.piece")
	}
	return ""
}

// files shows a file or a folder, or sends a file.
func (v *visit) files() error {
	id, err := v.at()
	if err != nil {
		return err
	}
	return v.file(http.StatusOK, id, "", "")
}

func (v *visit) file(status int, id ldp.ID, trouble, field string) error {
	res, err := v.Pod.Get(v.r.Context(), v.who, ldp.Get{ID: id, Choose: first})
	if err != nil {
		return fmt.Errorf("read a file: %w", err)
	}
	if res.Body != nil {
		defer res.Body.Close()
	}
	if v.r.URL.Query().Has("download") && res.Body != nil && status == http.StatusOK {
		return v.download(res.Type, fileName(string(id.Name())), func(w io.Writer) error { _, err := io.Copy(w, res.Body); return err })
	}
	p, err := v.place(id)
	if err != nil {
		return err
	}
	p.Trouble, p.Field = trouble, field
	if typed := v.r.PostForm.Get("name"); len(typed) < maxTyped {
		p.Typed = plain(typed)
	}
	p.Lend = v.lending(status)
	if id.IsContainer() {
		return v.folder(status, p, res)
	}
	return v.document(status, p, res)
}

// first takes what is there as it is.
func first(offers ...string) string {
	if len(offers) == 0 {
		return ""
	}
	return offers[0]
}

// A member is a line of a folder.
type member struct {
	Name, URL, About string
	Folder           bool
	Size             string
	Modified         time.Time
}

func (v *visit) folder(status int, p place, res *ldp.Resource) error {
	page := struct {
		place
		Members []member
		Next    string
		Root    bool
	}{place: p, Root: res.ID == v.root()}
	after := ldp.ID(v.r.URL.Query().Get("after"))
	var last ldp.ID
	for m, err := range res.Members {
		if err != nil {
			return fmt.Errorf("list a folder: %w", err)
		}
		if m.ID.IsContainer() && m.ID == res.ID || strings.TrimPrefix(string(m.ID), string(res.ID)) <= string(after) {
			continue
		}
		if len(page.Members) == filesPage {
			page.Next = p.Here + "?" + url.Values{"after": {strings.TrimPrefix(string(last), string(res.ID))}}.Encode()
			break
		}
		last = m.ID
		page.Members = append(page.Members, member{
			Name: fileName(m.ID.Name()), URL: v.address(m.ID), Folder: m.ID.IsContainer(), Size: v.size(m.Size), Modified: m.Modified, About: v.about(m.ID),
		})
	}
	compare := alphabetical(v.lang)
	slices.SortStableFunc(page.Members, func(a, b member) int {
		if a.Folder != b.Folder {
			return cmp.Compare(b2i(b.Folder), b2i(a.Folder))
		}
		return compare(a.Name, b.Name)
	})
	return v.show(status, "folder", p.Name, "nav.files", page)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// size writes a number of bytes.
func (g *tongue) size(n int64) string {
	switch {
	case n < 1000:
		return g.n("size.bytes", int(n))
	case n < 1000_000:
		return g.t("size.kilo", "n", g.decimal(float64(n)/1000))
	}
	return g.t("size.mega", "n", g.decimal(float64(n)/1000_000))
}

// decimal writes a number with one decimal, if that says anything.
func (g *tongue) decimal(x float64) string {
	s := strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0")
	return strings.Replace(s, ".", g.t("number.point"), 1)
}

// A statement is one thing that a document of data says.
type said struct{ What, Value, Link, Lang string }

// A thing is what a document of data says of one thing.
type thing struct {
	Name string
	Said []said
}

func (v *visit) document(status int, p place, res *ldp.Resource) error {
	page := struct {
		place
		Kind, Size string
		Modified   time.Time
		Text       string
		Things     []thing
		Cut        bool // there is more than is shown
	}{place: p, Kind: plain(res.Type), Size: v.size(res.Size), Modified: res.Modified}
	format, isData := rdf.FormatOf(res.Type)
	switch {
	case isData && res.Size <= readable:
		body, err := io.ReadAll(io.LimitReader(res.Body, readable))
		if err != nil {
			return fmt.Errorf("read a file: %w", err)
		}
		if g, err := rdf.Read(v.r.Context(), body, format, v.Base+string(res.ID), rdf.Limits{}); err == nil {
			page.Things, page.Cut = v.things(g)
		}
	case strings.HasPrefix(res.Type, "text/") || isData:
		body, err := io.ReadAll(io.LimitReader(res.Body, shown))
		if err != nil {
			return fmt.Errorf("read a file: %w", err)
		}
		page.Text, page.Cut = lines(body), res.Size > shown
	}
	return v.show(status, "document", p.Name, "nav.files", page)
}

// lines returns bytes as text that can be shown.
func lines(b []byte) string {
	for len(b) > 0 && !utf8.Valid(b) && len(b) > shown-utf8.UTFMax {
		b = b[:len(b)-1] // it was cut within a character
	}
	all := strings.Split(strings.ToValidUTF8(string(b), "\uFFFD"), "\n")
	for i, l := range all {
		all[i] = plain(strings.ReplaceAll(strings.TrimSuffix(l, "\r"), "\t", "    "))
	}
	return strings.Join(all, "\n")
}

// things puts a graph into words, as far as names tell anything: subject by
// subject, with the last part of each property's name.
func (v *visit) things(g *rdf.Graph) (all []thing, cut bool) {
	at := map[rdf.Term]int{}
	n := 0
	for t := range g.All() {
		if n++; n > statement {
			return all, true
		}
		i, ok := at[t.S]
		if !ok {
			i = len(all)
			at[t.S] = i
			name := nameOf(t.S.Value)
			if t.S.IsBlank() {
				name = v.t("file.unnamed")
			}
			all = append(all, thing{Name: name})
		}
		s := said{What: nameOf(t.P.Value), Value: v.value(t.O.Datatype, t.O.Value), Lang: t.O.Lang}
		switch {
		case t.O.IsBlank():
			s.Value = v.t("file.unnamed")
		case t.O.IsIRI():
			s.Value, s.Link = nameOf(t.O.Value), webAddress(t.O.Value)
		}
		all[i].Said = append(all[i].Said, s)
	}
	return all, false
}

// nameOf returns the last part of a name on the web, with the words in it apart.
func nameOf(iri string) string {
	name := strings.TrimRight(iri, "/#")
	if name == origin(name) { // it has no parts but where it is
		return host(name)
	}
	if i := strings.LastIndexAny(name, "/#:"); i >= 0 {
		name = name[i+1:]
	}
	if name = strings.TrimSpace(strings.ReplaceAll(fileName(name), "_", " ")); name == "" {
		return plain(iri)
	}
	var b strings.Builder
	for i, c := range name {
		if i > 0 && 'A' <= c && c <= 'Z' && b.Len() > 0 && 'a' <= name[i-1] && name[i-1] <= 'z' {
			b.WriteByte(' ')
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// saveGraph sends a document of data in one of its forms.
func (v *visit) saveGraph(id ldp.ID, name, media string) error {
	res, err := v.Pod.Get(v.r.Context(), v.who, ldp.Get{ID: id, Choose: first})
	if err != nil {
		return fmt.Errorf("read a file: %w", err)
	}
	defer res.Body.Close()
	from, ok := rdf.FormatOf(res.Type)
	to, _ := rdf.FormatOf(media)
	if !ok {
		return ldp.NotFound
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("read a file: %w", err)
	}
	g, err := rdf.Read(v.r.Context(), body, from, v.Base+string(id), rdf.Limits{})
	if err == nil {
		body, err = rdf.Write(g, to, rdf.WriteOptions{})
	}
	if err != nil {
		return fmt.Errorf("convert a file: %w", err)
	}
	return v.download(media, name, func(w io.Writer) error { _, err := w.Write(body); return err })
}

// changeFiles does what a form on the page of a file or folder asks.
func (v *visit) changeFiles() error {
	id, err := v.at()
	if err != nil {
		return err
	}
	if strings.HasPrefix(v.r.Header.Get("Content-Type"), "multipart/form-data") {
		return v.upload(id)
	}
	form := v.r.PostForm
	switch form.Get("do") {
	case "folder":
		return v.newFolder(id, form.Get("name"))
	case "copy":
		return v.copyFile(id, form.Get("name"))
	case "delete":
		return v.deleteFile(id)
	case "lend":
		return v.lendFile(id)
	case "unlend":
		return v.unlendFile(id)
	}
	return ldp.Invalid
}

// upload takes a file, as it comes.
func (v *visit) upload(folder ldp.ID) error {
	parts, err := v.r.MultipartReader()
	if err != nil || !folder.IsContainer() {
		return ldp.Invalid
	}
	part, err := parts.NextPart()
	if err != nil || part.FormName() != "file" {
		return ldp.Invalid
	}
	if part.FileName() == "" {
		return v.file(http.StatusUnprocessableEntity, folder, v.t("files.none"), "file")
	}
	kind := cmp.Or(part.Header.Get("Content-Type"), "application/octet-stream")
	name, err := v.free(folder, part.FileName())
	if err != nil {
		return fmt.Errorf("find a name: %w", err)
	}
	_, err = v.Pod.Post(v.r.Context(), v.who, ldp.Post{ID: folder, Slug: name, Type: kind, Body: &patient{part}, Size: -1})
	switch k := ldp.KindOf(err); {
	case err == nil:
		return v.seeOther(v.address(folder) + "?done=uploaded")
	case k == ldp.TooLarge:
		return v.file(http.StatusRequestEntityTooLarge, folder, v.t("files.large"), "file")
	case k == ldp.Invalid || k == ldp.Unprocessable || k == ldp.Forbidden:
		return v.file(http.StatusUnprocessableEntity, folder, v.t("files.unreadable"), "file")
	}
	return fmt.Errorf("take a file: %w", err)
}

// free returns a name for a file that nothing in the folder has: what it is called, or
// that with a number, "letter (2).txt". Who sends the same file twice finds both.
func (v *visit) free(folder ldp.ID, called string) (string, error) {
	name, ending := called, path.Ext(called)
	for n := 2; n < 100; n++ {
		id, ok := named(folder, name, false)
		if !ok {
			return called, nil // the pod says what is wrong with it
		}
		res, err := v.Pod.Get(v.r.Context(), v.who, ldp.Get{ID: id, Choose: first})
		if ldp.KindOf(err) == ldp.NotFound {
			return name, nil
		}
		if err != nil {
			return "", err
		}
		if res.Body != nil {
			res.Body.Close()
		}
		name = fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(called, ending), n, ending)
	}
	return called, nil
}

// A patient part tells by its error that a form was too large.
type patient struct{ *multipart.Part }

func (p *patient) Read(b []byte) (int, error) {
	n, err := p.Part.Read(b)
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		err = ldp.TooLarge
	}
	return n, err
}

// escape writes what has a meaning of its own in a path; ldp.Respell does the rest, and
// leaves brackets as programs leave them.
var escape = strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23")

// named returns the resource of a name that the person typed, in a folder; false
// if it can't be one.
func named(folder ldp.ID, name string, container bool) (ldp.ID, bool) {
	name = strings.TrimSpace(name)
	if name == "" || strings.ContainsAny(name, "/\\") || len(name) > 200 || plain(name) != name ||
		strings.HasSuffix(name, ldp.ACLSuffix) || strings.HasSuffix(name, ldp.MetaSuffix) {
		return "", false
	}
	path, ok := ldp.Respell(string(folder) + escape.Replace(name))
	if !ok {
		return "", false
	}
	if container {
		path += "/"
	}
	id, err := ldp.ParseID(path)
	return id, err == nil
}

// asNew is the condition that nothing of the name is there.
var asNew = ldp.Conditions{NoneMatch: []string{"*"}}

func (v *visit) newFolder(in ldp.ID, name string) error {
	id, ok := named(in, name, true)
	if !ok || !in.IsContainer() {
		return v.file(http.StatusUnprocessableEntity, in, v.t("files.name.wrong"), "folder")
	}
	_, err := v.Pod.Put(v.r.Context(), v.who, ldp.Put{ID: id, Body: strings.NewReader(""), Cond: asNew})
	return v.made(err, in, id, "folder")
}

func (v *visit) copyFile(from ldp.ID, name string) error {
	id, ok := named(from.Parent(), name, false)
	if !ok || from.IsContainer() {
		return v.file(http.StatusUnprocessableEntity, from, v.t("files.name.wrong"), "copy")
	}
	res, err := v.Pod.Get(v.r.Context(), v.who, ldp.Get{ID: from, Choose: first})
	if err != nil {
		return fmt.Errorf("copy a file: %w", err)
	}
	defer res.Body.Close()
	_, err = v.Pod.Put(v.r.Context(), v.who, ldp.Put{ID: id, Type: res.Type, Body: res.Body, Size: res.Size, Cond: asNew})
	return v.made(err, from, id, "copy")
}

// made goes to what was made, or says at its field why it wasn't.
func (v *visit) made(err error, from, id ldp.ID, field string) error {
	switch k := ldp.KindOf(err); {
	case err == nil:
		return v.seeOther(v.address(id) + "?done=made")
	case k == ldp.Precondition || k == ldp.Conflict:
		return v.file(http.StatusConflict, from, v.t("files.taken"), field)
	case k == ldp.NotAllowed:
		return v.file(http.StatusUnprocessableEntity, from, v.t("files.name.wrong"), field)
	}
	return fmt.Errorf("make a file: %w", err)
}

func (v *visit) deleteFile(id ldp.ID) error {
	err := v.Pod.Delete(v.r.Context(), v.who, ldp.Delete{ID: id})
	if ldp.KindOf(err) == ldp.Conflict {
		return v.file(http.StatusConflict, id, v.t("files.full"), "delete")
	}
	if err != nil && ldp.KindOf(err) != ldp.NotFound { // who presses twice has deleted it
		return fmt.Errorf("delete a file: %w", err)
	}
	return v.seeOther(v.address(id.Parent()) + "?done=deleted")
}
