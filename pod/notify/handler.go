// SPDX-License-Identifier: EUPL-1.2

package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod"
)

// Where notifications are. What is below Path:
//
//	                      what subscription services there are
//	{type}/               one of them: POST asks for a channel
//	channels/{pod}/{id}   a channel: GET connects, or tells how its calls go; DELETE ends it
//	hooks                 the webhooks of one's own pod
//	sender                who calls webhooks
const (
	Path     = "/.notifications/"
	channels = Path + "channels/"
)

// A Handler answers what is below [Path]. All fields must be set.
type Handler struct {
	Pod        *pod.Pod
	Hub        *Hub
	Identifier ldp.Identifier
	Fail       func(http.ResponseWriter, *http.Request, error) // answers an error
	Issuer     string                                          // of Sender's tokens
	Loopback   bool                                            // webhooks may be on this machine
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	cors(w.Header(), r)
	if err := h.serve(w, r); err != nil {
		h.Fail(w, r, err)
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	path := strings.TrimPrefix(r.URL.Path, Path)
	first, rest, _ := strings.Cut(path, "/")
	switch {
	case path == "":
		return h.answer(w, r, "GET, HEAD, OPTIONS", func() error { return h.services(w, r) })
	case path == "sender":
		return h.answer(w, r, "GET, HEAD, OPTIONS", func() error { return h.sender(w, r) })
	case path == "hooks":
		return h.answer(w, r, "GET, HEAD, OPTIONS", func() error { return h.hooks(w, r) })
	case first == "channels":
		return h.answer(w, r, "GET, HEAD, DELETE, OPTIONS", func() error { return h.channel(w, r, rest) })
	}
	for _, channel := range ChannelTypes() {
		if path == channel+"/" {
			return h.answer(w, r, "GET, HEAD, POST, OPTIONS", func() error { return h.service(w, r, channel) })
		}
	}
	return ldp.Refuse(ldp.NotFound, "There is nothing at this URL. "+Path+" tells what there is.")
}

// answer refuses methods that aren't allowed, and answers OPTIONS.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, allow string, do func() error) error {
	w.Header().Set("Allow", allow)
	switch {
	case r.Method == http.MethodOptions:
		w.Header().Set("Access-Control-Allow-Methods", allow)
		w.Header().Set("Accept-Post", mediaType)
		w.WriteHeader(http.StatusNoContent)
		return nil
	case slices.Contains(strings.Split(allow, ", "), r.Method):
		return do()
	}
	return &ldp.Fault{Kind: ldp.NotAllowed, Detail: "The resource does not support this method. Allow lists those that it does.", Header: "Allow: " + allow}
}

// cors lets scripts of every origin see the answer, as the resources do.
func cors(h http.Header, r *http.Request) {
	h.Set("Vary", "Accept, Authorization, Origin")
	h.Set("X-Content-Type-Options", "nosniff")
	origin := r.Header.Get("Origin")
	if origin == "" {
		h.Set("Access-Control-Allow-Origin", "*")
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, DPoP")
	h.Set("Access-Control-Expose-Headers", "Accept-Post, Allow, Link, WWW-Authenticate, X-Request-Id")
	h.Set("Access-Control-Max-Age", "7200")
}

func (h *Handler) who(r *http.Request) (acl.Agent, error) {
	who, err := h.Identifier.Identify(r)
	if k := ldp.Kind(0); err != nil && !errors.As(err, &k) {
		err = fmt.Errorf("%w: %w", ldp.Unauthenticated, err)
	}
	who.Origin = r.Header.Get("Origin")
	return who, err
}

func write(w http.ResponseWriter, r *http.Request, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(b) // the client may have hung up
	}
	return nil
}

// services answers with all subscription services.
func (h *Handler) services(w http.ResponseWriter, r *http.Request) error {
	d := description{Context: []string{contextV1}, ID: h.Pod.Base + Path}
	for _, channel := range ChannelTypes() {
		d.Services = append(d.Services, service(channel, h.Pod.Base))
	}
	return write(w, r, d)
}

// sender answers with the document of the WebID that calls webhooks.
func (h *Handler) sender(w http.ResponseWriter, r *http.Request) error {
	return write(w, r, map[string]any{
		"@id":   h.Pod.Base + Sender,
		"@type": "http://xmlns.com/foaf/0.1/Agent",
		"http://www.w3.org/ns/solid/terms#oidcIssuer": map[string]string{"@id": h.Issuer},
	})
}

// hooks answers with the webhooks of the asker's own pod.
func (h *Handler) hooks(w http.ResponseWriter, r *http.Request) error {
	who, err := h.who(r)
	if err != nil {
		return err
	}
	all, err := h.Pod.Hooks(r.Context(), who)
	if err != nil {
		return err
	}
	out := struct {
		Context  []string      `json:"@context"`
		ID       string        `json:"id"`
		Channels []description `json:"channel"`
	}{[]string{contextV1}, h.Pod.Base + Path + "hooks", []description{}}
	for _, s := range all {
		d := describe(s, h.Pod.Base)
		d.Context = nil
		out.Channels = append(out.Channels, d)
	}
	return write(w, r, out)
}

// service describes a subscription service, or makes a channel.
func (h *Handler) service(w http.ResponseWriter, r *http.Request, channel string) error {
	if r.Method != http.MethodPost {
		d := service(channel, h.Pod.Base)
		d.Context = []string{contextV1}
		return write(w, r, d)
	}
	who, err := h.who(r)
	if err != nil {
		return err
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	profile := params["profile"]
	if err != nil || media != mediaType || profile != "" && profile != contextV1 && profile != contextED {
		return ldp.Refuse(ldp.Unsupported, "A request for a channel is "+mediaType+", without a profile or with "+contextV1+".")
	}
	want, err := readChannel(r.Body, channel, h.Pod.Base, h.Loopback)
	if err != nil {
		return err
	}
	s, err := h.Pod.Subscribe(r.Context(), who, want)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return write(w, r, describe(s, h.Pod.Base))
}

// channel connects to a channel, describes or ends it.
func (h *Handler) channel(w http.ResponseWriter, r *http.Request, path string) error {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer") // the URL is a capability
	name, id, _ := strings.Cut(path, "/")
	if r.Method == http.MethodDelete {
		who, err := h.who(r)
		if err != nil {
			return err
		}
		if err := h.Pod.Unsubscribe(r.Context(), who, name, id); err != nil {
			return err
		}
		w.WriteHeader(http.StatusResetContent)
		return nil
	}
	if r.Header.Get("Upgrade") == "" {
		who, err := h.who(r)
		if err != nil {
			return err
		}
		s, err := h.Pod.Channel(r.Context(), who, name, id)
		if err == nil && (s.Hook != "" || s.Channel == WebSocket) || r.Method == http.MethodHead && err != nil {
			if err != nil {
				return err
			}
			return write(w, r, describe(s, h.Pod.Base))
		}
	}
	return h.connect(w, r, name, id)
}

// connect makes the connection a stream of the channel.
func (h *Handler) connect(w http.ResponseWriter, r *http.Request, name, id string) error {
	at, err := h.Pod.Attach(r.Context(), name, id)
	if err != nil {
		return err
	}
	if upgrade := r.Header.Get("Upgrade") != ""; upgrade != (at.Channel == WebSocket) {
		return ldp.Refuse(ldp.NotFound, "This is the URL of a "+at.Channel+". Connect to it as such.")
	}
	if r.Method == http.MethodHead {
		return write(w, r, describe(at.Subscription, h.Pod.Base))
	}
	s, leave, err := h.Hub.join(at)
	if err != nil {
		return err
	}
	defer leave()
	if at.Channel == WebSocket {
		h.webSocket(w, r, s)
		return nil
	}
	h.stream(w, r, s)
	return nil
}

// webSocket sends the stream as messages of a WebSocket. Scripts of every origin
// may connect: who has the URL may.
func (h *Handler) webSocket(w http.ResponseWriter, r *http.Request, s *stream) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = c.CloseNow() }()
	ctx := c.CloseRead(context.WithoutCancel(r.Context())) // nobody has anything to say to us
	err = s.run(ctx, h.Pod.Now(), func(b []byte) error {
		ctx, cancel := context.WithTimeout(ctx, writeWithin)
		defer cancel()
		if b == nil {
			return c.Ping(ctx)
		}
		return c.Write(ctx, websocket.MessageText, b)
	})
	switch {
	case errors.Is(err, errClosing):
		_ = c.Close(websocket.StatusGoingAway, "the server closes; connect again")
	case errors.Is(err, errWithdrawn):
		_ = c.Close(websocket.StatusPolicyViolation, "the channel has ended")
	case errors.Is(err, errElsewhere):
		_ = c.Close(websocket.StatusPolicyViolation, "the channel was connected to again")
	case err == nil:
		_ = c.Close(websocket.StatusNormalClosure, "endAt")
	}
}

// stream sends the stream as the body of an answer that goes on.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, s *stream) {
	before, after, alive := "", "\n", "\n"
	w.Header().Set("Content-Type", mediaType)
	if s.Channel == EventSource {
		before, after, alive = "data: ", "\n\n", ":\n\n"
		w.Header().Set("Content-Type", "text/event-stream")
	}
	w.Header().Set("X-Accel-Buffering", "no") // a proxy is to pass on what comes
	c := http.NewResponseController(w)
	send := func(b []byte) error {
		text := alive
		if b != nil {
			text = before + string(b) + after
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return err
		}
		// The deadline comes last, as the writer around us sets its own at Write.
		_ = c.SetWriteDeadline(time.Now().Add(writeWithin))
		return c.Flush()
	}
	if send(nil) == nil {
		_ = s.run(r.Context(), h.Pod.Now(), send) // whatever ended it, the answer is over
	}
}
