// SPDX-License-Identifier: EUPL-1.2

package ldp

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

func (x *exchange) put() error {
	media, fault := x.content(x.Limits.body())
	container, nonRDF, model := linkTypes(x.r.Header["Link"])
	switch {
	case fault != nil:
	case model != nil:
		fault = model
	case media == "" && !x.id.IsContainer():
		fault = Refuse(Invalid, "There is no Content-Type. Say what the content is, also where it is empty.")
	case x.r.Header.Get("Content-Range") != "":
		fault = Refuse(Invalid, "A part of a resource can't be put. Send the whole, or PATCH.")
	case container && !x.id.IsContainer():
		fault = Refuse(Conflict, "The URL of a container ends with a slash. Add it, or leave out the Link header that asks for a container.")
	case nonRDF && x.id.IsContainer():
		fault = Refuse(Conflict, "A container is an RDF source. Take the slash off the URL, or leave out the Link header that asks for a non-RDF source.")
	}
	done, err := x.Backend.Put(x.r.Context(), x.who, Put{
		ID: x.id, Type: media, Body: x.body(x.Limits.body()), Size: x.r.ContentLength,
		Cond: x.conditions(), NonRDF: nonRDF, Fault: fault,
	})
	if err != nil {
		return err
	}
	return x.wrote(done, done.Created, short(media))
}

func (x *exchange) post() error {
	media, fault := x.content(x.Limits.body())
	container, nonRDF, model := linkTypes(x.r.Header["Link"])
	key := unquote(strings.TrimSpace(x.r.Header.Get("Idempotency-Key")))
	switch {
	case fault != nil:
	case model != nil:
		fault = model
	case media == "" && !container:
		fault = Refuse(Invalid, "There is no Content-Type. Say what the content is, or ask for a container with a Link header.")
	case container && nonRDF:
		fault = Refuse(Conflict, "The Link headers ask for a container and for a non-RDF source. A resource is one of them.")
	case len(key) > 255:
		fault = Refuse(Invalid, "The Idempotency-Key is longer than 255 bytes.")
	}
	done, err := x.Backend.Post(x.r.Context(), x.who, Post{
		ID: x.id, Slug: slug(x.r.Header.Get("Slug")), Container: container, Type: media,
		Body: x.body(x.Limits.body()), Size: x.r.ContentLength, Cond: x.conditions(), Key: key, Fault: fault,
	})
	if err != nil {
		return err
	}
	return x.wrote(done, true, short(media))
}

// slug decodes RFC 5023's Slug; one that is no such encoding is taken as it is. It is
// "" if it isn't UTF-8.
func slug(header string) string {
	s, err := url.PathUnescape(header)
	if err != nil {
		s = header
	}
	if !utf8.ValidString(s) {
		return ""
	}
	return s
}

func (x *exchange) patch() error {
	limit := x.Limits.patch()
	media, fault := x.content(limit)
	media = bare(media)
	var body []byte
	switch {
	case fault != nil:
	case media == "":
		fault = Refuse(Invalid, "There is no Content-Type. A patch is text/n3 or application/sparql-update.")
	case media != typeN3Patch && media != typeSPARQL:
		fault = Refuse(Unsupported, "A patch is text/n3 or application/sparql-update.")
	default:
		body, fault = io.ReadAll(x.body(limit))
	}
	done, err := x.Backend.Patch(x.r.Context(), x.who, Patch{ID: x.id, Type: media, Body: body, Cond: x.conditions(), Fault: fault})
	if err != nil {
		return err
	}
	return x.wrote(done, done.Created, short(typeTurtle))
}

func (x *exchange) delete() error {
	if err := x.Backend.Delete(x.r.Context(), x.who, Delete{ID: x.id, Cond: x.conditions()}); err != nil {
		return err
	}
	x.minimal()
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// wrote answers a write: 201 with Location where something was made, else 204,
// and a receipt if there is one.
func (x *exchange) wrote(done Written, created bool, format string) error {
	status := http.StatusNoContent
	if created {
		status = http.StatusCreated
		x.set("Location", x.Base+string(done.ID))
		// Links are about what was asked unless they say otherwise (RFC 8288,
		// 3.2): those of what a POST has made do (LDP, 5.2.3.12).
		anchor := ""
		if done.ID != x.id {
			anchor = x.Base + string(done.ID)
		}
		x.id = done.ID
		x.set("Link", x.links(done.Description, anchor))
	}
	if done.ID.IsContainer() {
		format = short(typeTurtle)
	}
	if etag := entityTag(done.Tag, format); etag != "" {
		x.set("Etag", etag)
	}
	if !done.Modified.IsZero() {
		x.set("Last-Modified", date(done.Modified))
	}
	x.minimal()
	if done.Receipt != nil && status == http.StatusNoContent {
		status = http.StatusOK
	}
	if status != http.StatusNoContent {
		x.set("Content-Length", strconv.Itoa(len(done.Receipt)))
	}
	if done.Receipt != nil {
		x.set("Content-Type", done.ReceiptType)
	}
	x.sent = true
	x.w.WriteHeader(status)
	if done.Receipt == nil {
		return nil
	}
	_, err := x.w.Write(done.Receipt)
	return err
}

// minimal says that return=minimal was obeyed: nothing else is ever sent.
func (x *exchange) minimal() {
	if x.r.Header["Prefer"] != nil && prefer(x.r.Header["Prefer"]).minimal {
		x.set("Preference-Applied", "return=minimal")
	}
}

func (x *exchange) conditions() Conditions {
	return Conditions{
		Match:           entityTags(x.r.Header["If-Match"], true),
		NoneMatch:       entityTags(x.r.Header["If-None-Match"], false),
		UnmodifiedSince: x.moment("If-Unmodified-Since"),
	}
}

// content reads the headers about the content. It returns the media type, "" if
// there is no content and none is given, and what is wrong with them; which is
// for the Backend to answer, when it knows that the agent may write.
func (x *exchange) content(limit int64) (media string, fault error) {
	if x.r.ContentLength > limit {
		return "", tooLarge(limit)
	}
	if e := x.r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return "", &Fault{Kind: Unsupported, Detail: "Content-Encoding is not supported. Send the content as it is.", Header: "Accept-Encoding: identity"}
	}
	lines := x.r.Header["Content-Type"]
	switch {
	case len(lines) > 1:
		return "", Refuse(Invalid, "There are several Content-Type headers.")
	case len(lines) == 0 || lines[0] == "":
		if x.r.ContentLength != 0 {
			return "", Refuse(Invalid, "There is content and no Content-Type (Solid Protocol, section 2.1).")
		}
		return "", nil
	case len(lines[0]) > 255:
		return "", Refuse(Invalid, "The Content-Type is longer than 255 bytes.")
	}
	name, params, err := mime.ParseMediaType(lines[0])
	if err == nil && strings.Contains(name, "/") && !strings.Contains(name, "*") {
		if media = mime.FormatMediaType(name, params); media != "" {
			return media, nil
		}
	}
	return "", Refuse(Invalid, "The Content-Type is not a media type, such as text/turtle.")
}

// body is the content: bounded, and with errors that say whose fault it is.
func (x *exchange) body(limit int64) io.Reader {
	return &content{http.MaxBytesReader(x.w, x.r.Body, limit)}
}

type content struct{ body io.Reader }

func (c *content) Read(p []byte) (int, error) {
	n, err := c.body.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return n, tooLarge(large.Limit)
	}
	return n, Refuse(Invalid, "The content ended before it was complete.")
}

func tooLarge(limit int64) error {
	return Refuse(TooLarge, "The content is longer than "+strconv.FormatInt(limit, 10)+" bytes.")
}
