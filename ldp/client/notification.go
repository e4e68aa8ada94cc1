// SPDX-License-Identifier: EUPL-1.2

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// MaxEventAge is how old an event may be: who remembers IDs for as long takes
// none twice.
const MaxEventAge = 7 * 24 * time.Hour

// An Event is a verified Security Event Token (RFC 8417).
type Event struct {
	ID          string // jti: do nothing for one that was seen before
	IssuedAt    time.Time
	Subject     string                     // sub; "" if the events say what they are about
	WebID       string                     // of the person whom it is about, as this client alone knows her (sub_id, RFC 9493, format uri); "" if it names none
	Transaction string                     // txn
	Events      map[string]json.RawMessage // what happened, by the IRI of its kind; at least one
}

const maxEvent = 256 << 10 // bytes

// Notification verifies the body of a request to a webhook: that the server
// signed it, for the audience. The body is at most 256 kB.
func (c *Client) Notification(ctx context.Context, body []byte, wantAudience string) (Event, error) {
	if len(body) > maxEvent {
		return Event{}, errors.New("notification: larger than 256 kB")
	}
	compact := strings.TrimSpace(string(body))
	if err := checkType(compact, "secevent+jwt"); err != nil {
		return Event{}, fmt.Errorf("notification: %w", err)
	}
	is, err := c.discover(ctx)
	if err != nil {
		return Event{}, fmt.Errorf("notification: %w", err)
	}
	payload, err := is.keys.VerifySignature(ctx, compact)
	if err != nil {
		return Event{}, fmt.Errorf("notification: %w", err)
	}
	event, err := c.readEvent(payload, wantAudience)
	if err != nil {
		return Event{}, fmt.Errorf("notification: %w", err)
	}
	return event, nil
}

// checkType refuses a JWT that was signed for another use (RFC 8725, section 3.11).
func checkType(compact, typ string) error {
	signed, err := jose.ParseSignedCompact(compact, issuerAlgorithms())
	if err != nil {
		return errors.New("not a JWT that is signed with an algorithm that we take")
	}
	got, _ := signed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType].(string)
	if strings.TrimPrefix(strings.ToLower(got), "application/") != typ { // RFC 7515, section 4.1.9
		return errors.New("typ is not " + typ)
	}
	return nil
}

func (c *Client) readEvent(payload []byte, wantAudience string) (Event, error) {
	var claims struct {
		Issuer      string   `json:"iss"`
		Audience    audience `json:"aud"`
		ID          string   `json:"jti"`
		IssuedAt    float64  `json:"iat"`
		Subject     string   `json:"sub"`
		Transaction string   `json:"txn"`
		SubjectID   struct {
			Format string `json:"format"`
			URI    string `json:"uri"`
		} `json:"sub_id"`
		Events map[string]json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return Event{}, errors.New("the claims are not of the right form")
	}
	issued := time.Unix(int64(min(max(claims.IssuedAt, 0), 1<<40)), 0)
	age := c.Now().Sub(issued)
	switch {
	case claims.Issuer != c.Issuer:
		return Event{}, errors.New("iss is not the server")
	case wantAudience == "" || !slices.Contains(claims.Audience, wantAudience):
		return Event{}, errors.New("aud is somebody else")
	case claims.ID == "" || len(claims.Events) == 0:
		return Event{}, errors.New("jti or events is missing")
	case age > MaxEventAge || age < -time.Minute:
		return Event{}, errors.New("iat is too long ago, or in the future")
	}
	event := Event{ID: claims.ID, IssuedAt: issued, Subject: claims.Subject, Transaction: claims.Transaction, Events: claims.Events}
	if claims.SubjectID.Format == "uri" {
		event.WebID = claims.SubjectID.URI
	}
	return event, nil
}

// An audience is a string or a list of strings (RFC 7519, section 4.1.3).
type audience []string

// UnmarshalJSON obeys json.Unmarshaler.
func (a *audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}
