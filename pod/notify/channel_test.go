// SPDX-License-Identifier: EUPL-1.2

package notify

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"skrin/pod/record"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT10S": 10 * time.Second, "PT0.5S": 500 * time.Millisecond, "PT1H2M3S": time.Hour + 2*time.Minute + 3*time.Second, "P1D": 24 * time.Hour, "P1DT1M": 24*time.Hour + time.Minute,
		"": -1, "P": -1, "PT": -1, "10": -1, "PT10": -1, "P1M": -1, "P1Y": -1, "-PT1S": -1, "PT1.5M": -1, "PT1S1M": -1, "PT1S1S": -1, "PT.5S": -1, "PT1.S": -1, "P1DT": -1, "PT99999999999S": -1,
	} {
		got, ok := duration(text)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

// FuzzDuration: no text is a negative duration, or a long one.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"PT10S", "P1DT2H3M4.5S", "PT0.5S", "P", "P1M"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, ok := duration(s); ok && (d < 0 || d > 4001*maxRate) {
			t.Errorf("%q is %v", s, d)
		}
	})
}

// FuzzReadChannel: what is read of a request is a channel that can be kept, and
// its description says the same and can be sent back.
func FuzzReadChannel(f *testing.F) {
	const base = "https://pod.example"
	for _, body := range []string{
		`{"@context":["https://www.w3.org/ns/solid/notification/v1"],"type":"http://www.w3.org/ns/solid/notifications#WebhookChannel2023","topic":"https://pod.example/a/b","sendTo":"https://app.example/h","rate":"PT5S","state":"\"x.ttl\"","endAt":"2026-12-01T00:00:00Z"}`,
		`{"@context":"https://www.w3.org/ns/solid/notifications-context/v1","type":["notify:WebhookChannel2023"],"topic":{"id":"https://pod.example/"},"sendTo":"https://[::1]/","accept":"application/ld+json"}`,
		`{}`, `[]`, `{"@context":[[]],"topic":[{}]}`, `{"@context":{"id":"x"}}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		s, err := readChannel(strings.NewReader(body), Webhook, base, false)
		if err != nil {
			return
		}
		if !strings.HasPrefix(string(s.Topic), "/") || !strings.HasPrefix(s.Hook, "https:") || s.Rate < 0 || s.Rate > maxRate {
			t.Fatalf("%+v of %s", s, body)
		}
		text, err := json.Marshal(describe(s, base))
		if err != nil {
			t.Skip(err) // a year that JSON can't say
		}
		again, err := readChannel(strings.NewReader(string(text)), Webhook, base, false)
		if err != nil || again.Topic != s.Topic || again.Hook != s.Hook || (s.Rate-again.Rate).Abs() > time.Microsecond {
			t.Fatalf("%s is read as %+v, %v; it was %+v", text, again, err, s)
		}
		message(record.Activity{Object: s.Topic, Kind: record.Updated}, base)
	})
}
