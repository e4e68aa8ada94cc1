// SPDX-License-Identifier: EUPL-1.2

package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"skrin/ldp"
	"skrin/pod/channel"
	"skrin/pod/record"
)

// The types of channels (Solid Notifications Protocol), without their namespace.
const (
	WebSocket     = "WebSocketChannel2023"
	EventSource   = "EventSourceChannel2023"
	StreamingHTTP = "StreamingHTTPChannel2023"
	Webhook       = "WebhookChannel2023"
)

// ChannelTypes are all of them.
func ChannelTypes() []string { return []string{WebSocket, EventSource, StreamingHTTP, Webhook} }

const (
	terms = "http://www.w3.org/ns/solid/notifications#"
	// contextV1 is what the channels' drafts, and all who implement them, have for
	// context; contextED what the protocol's editor's draft has.
	contextV1  = "https://www.w3.org/ns/solid/notification/v1"
	contextED  = "https://www.w3.org/ns/solid/notifications-context/v1"
	mediaType  = "application/ld+json"
	maxRequest = 16 << 10 // bytes
	maxRate    = 24 * time.Hour
)

var features = [...]string{"accept", "endAt", "rate", "startAt", "state"}

// A request is what a subscriber asks for: the JSON-LD of a channel, as its
// context names things. Other forms of the same graph are not read.
type request struct {
	Context json.RawMessage `json:"@context"`
	ID      json.RawMessage `json:"id"`
	Type    words           `json:"type"`
	Topic   words           `json:"topic"`
	SendTo  string          `json:"sendTo"`
	StartAt *time.Time      `json:"startAt"`
	EndAt   *time.Time      `json:"endAt"`
	State   string          `json:"state"`
	Rate    string          `json:"rate"`
	Accept  string          `json:"accept"`
}

// words is a string, an object that is nothing but an id, or a list of these.
type words []string

// UnmarshalJSON implements json.Unmarshaler.
func (w *words) UnmarshalJSON(b []byte) error {
	var list []json.RawMessage
	if json.Unmarshal(b, &list) != nil {
		list = []json.RawMessage{b}
	}
	*w = nil
	for _, item := range list {
		var s string
		var node struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(item, &s) != nil {
			if err := json.Unmarshal(item, &node); err != nil {
				return err
			}
			s = node.ID
		}
		*w = append(*w, s)
	}
	return nil
}

// readChannel reads a request to the service of one type of channel. Of base are
// the topics; with loopback a webhook may be on this machine, over http.
func readChannel(body io.Reader, service, base string, loopback bool) (channel.Subscription, error) {
	var s channel.Subscription
	text, err := io.ReadAll(io.LimitReader(body, maxRequest+1))
	switch {
	case err != nil:
		return s, fmt.Errorf("read the request: %w: %w", ldp.Invalid, err)
	case len(text) > maxRequest:
		return s, ldp.Refuse(ldp.TooLarge, "A request for a channel is at most 16 kB long.")
	}
	var r request
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&r); err != nil || !json.Valid(text) {
		return s, ldp.Refuse(ldp.Invalid, "The request is not a JSON object of a channel: type and topic are strings, startAt and endAt are times as in 2026-11-01T12:00:00Z.")
	}
	if fault := r.fault(service, base); fault != "" {
		return s, ldp.Refuse(ldp.Unprocessable, fault)
	}
	if s.Topic, err = ldp.ParseID(strings.TrimPrefix(r.Topic[0], base)); err != nil {
		return s, ldp.Refuse(ldp.Unprocessable, "topic is not the URL of a resource here, in its canonical spelling.")
	}
	s.Channel, s.State = service, r.State
	if r.StartAt != nil {
		s.Start = r.StartAt.UTC()
	}
	if r.EndAt != nil {
		s.End = r.EndAt.UTC()
	}
	if r.Rate != "" {
		var ok bool
		if s.Rate, ok = duration(r.Rate); !ok || s.Rate > maxRate {
			return s, ldp.Refuse(ldp.Unprocessable, "rate is not a duration (xsd:duration) of at most a day, such as PT10S.")
		}
	}
	if service == Webhook {
		s.Hook = r.SendTo
		if !callable(s.Hook, loopback) {
			return s, ldp.Refuse(ldp.Unprocessable, "sendTo is not an https URL.")
		}
	}
	return s, nil
}

// fault returns what is wrong with a request, "" for nothing.
func (r *request) fault(service, base string) string {
	known := func(c string) bool { return c == contextV1 || c == contextED }
	var contexts words
	switch err := contexts.UnmarshalJSON(r.Context); {
	case len(r.Context) == 0 || err != nil || !slices.ContainsFunc(contexts, known):
		return "@context must be " + contextV1 + "."
	case slices.ContainsFunc(contexts, func(c string) bool { return !known(c) }):
		return "@context names a context that is not known here. It must be " + contextV1 + " alone."
	case len(r.Type) != 1 || strings.TrimPrefix(strings.TrimPrefix(r.Type[0], terms), "notify:") != service:
		return "type must be " + service + " here. Each type of channel has a subscription service of its own."
	case len(r.Topic) != 1 || !strings.HasPrefix(r.Topic[0], base+"/"):
		return "topic must be the URL of one resource of this server."
	case r.Accept != "" && !acceptable(r.Accept):
		return "accept has no type in which notifications are sent: they are " + mediaType + "."
	case len(r.State) > 256:
		return "state is longer than 256 bytes."
	}
	return ""
}

func acceptable(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		media, _, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(media)) {
		case mediaType, "*/*", "application/*":
			return true
		}
	}
	return false
}

// callable reports whether a webhook may be asked for. Whether it is on a public
// address is looked at when it is called.
func callable(address string, loopback bool) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return loopback && u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// duration reads an xsd:duration of days and less: PnDTnHnMnS. Years and months
// have no length.
func duration(s string) (time.Duration, bool) {
	rest, ok := strings.CutPrefix(s, "P")
	days, clock, hasClock := strings.Cut(rest, "T")
	if !ok || rest == "" || hasClock && clock == "" || len(s) > 40 {
		return 0, false
	}
	total := time.Duration(0)
	for _, part := range []struct{ text, units string }{{days, "D"}, {clock, "HMS"}} {
		n, ok := amounts(part.text, part.units)
		if !ok {
			return 0, false
		}
		total += n
	}
	return total, total >= 0
}

// amounts adds numbers with units, each unit once, in their order.
func amounts(s, units string) (total time.Duration, ok bool) {
	length := map[byte]time.Duration{'D': 24 * time.Hour, 'H': time.Hour, 'M': time.Minute, 'S': time.Second}
	for s != "" {
		i := strings.IndexAny(s, units)
		if i < 1 || strings.Trim(s[:i], "0123456789.") != "" || s[0] == '.' || s[i-1] == '.' || s[i] != 'S' && strings.Contains(s[:i], ".") {
			return 0, false
		}
		n, err := strconv.ParseFloat(s[:i], 64)
		if err != nil || n*float64(length[s[i]]) > float64(1000*maxRate) {
			return 0, false
		}
		total += time.Duration(n * float64(length[s[i]]))
		units = units[strings.IndexByte(units, s[i])+1:]
		s = s[i+1:]
	}
	return total, true
}

// A description is a channel, or a service, as it is told.
type description struct {
	Context  []string   `json:"@context,omitempty"`
	ID       string     `json:"id"`
	Type     string     `json:"type,omitempty"`
	Topic    string     `json:"topic,omitempty"`
	Receive  string     `json:"receiveFrom,omitempty"`
	SendTo   string     `json:"sendTo,omitempty"`
	Sender   string     `json:"sender,omitempty"`
	StartAt  *time.Time `json:"startAt,omitempty"`
	EndAt    *time.Time `json:"endAt,omitempty"`
	Rate     string     `json:"rate,omitempty"`
	Accept   string     `json:"accept,omitempty"`
	Channel  string     `json:"channelType,omitempty"`
	Features []string   `json:"feature,omitempty"`

	Services []description `json:"subscription,omitempty"`

	// Of a webhook, how its calls go. No context names these.
	Calls   string     `json:"calls,omitempty"` // "active", "failing" or "parked"
	Trouble string     `json:"trouble,omitempty"`
	Tries   int        `json:"tries,omitempty"`
	Next    *time.Time `json:"nextTry,omitempty"`
}

// Sender is the path of the WebID by which webhooks are called.
const Sender = "/.notifications/sender#it"

// describe returns a channel as its subscriber sees it.
func describe(s channel.Subscription, base string) description {
	d := description{
		Context: []string{contextV1}, ID: base + channels + s.Topic.First() + "/" + s.ID, Type: s.Channel,
		Topic: base + string(s.Topic), EndAt: &s.End, Accept: mediaType,
	}
	if !s.Start.IsZero() {
		d.StartAt = &s.Start
	}
	if s.Rate > 0 {
		d.Rate = "PT" + strconv.FormatFloat(s.Rate.Seconds(), 'f', -1, 64) + "S"
	}
	switch s.Channel {
	case WebSocket:
		d.Receive = "ws" + strings.TrimPrefix(d.ID, "http")
	case Webhook:
		d.SendTo, d.Sender = s.Hook, base+Sender
		switch {
		case s.Parked:
			d.Calls, d.Trouble, d.Tries = "parked", s.Trouble, s.Tries
		case s.Tries > 0:
			d.Calls, d.Trouble, d.Tries, d.Next = "failing", s.Trouble, s.Tries, &s.Next
		default:
			d.Calls = "active"
		}
	default:
		d.Receive = d.ID
	}
	return d
}

// service returns the description of a subscription service.
func service(channel, base string) description {
	return description{ID: base + Path + channel + "/", Channel: channel, Features: features[:]}
}

// message returns a notification (Activity Streams 2.0).
func message(a record.Activity, base string) []byte {
	m := struct {
		Context   []string `json:"@context"`
		ID        string   `json:"id"`
		Type      string   `json:"type"`
		Object    string   `json:"object"`
		Target    string   `json:"target,omitempty"`
		State     string   `json:"state,omitempty"`
		Published string   `json:"published"`
	}{
		Context: []string{"https://www.w3.org/ns/activitystreams", contextV1},
		ID:      fmt.Sprintf("urn:%d:%s%s", a.Seq, base, a.Topic()),
		Type:    a.Kind, Object: base + string(a.Object), State: a.State, Published: a.At.Format("2006-01-02T15:04:05.000Z"),
	}
	if a.Target != "" {
		m.Target = base + string(a.Target)
	}
	b, _ := json.Marshal(m) // strings can't fail
	return b
}
