// SPDX-License-Identifier: EUPL-1.2

package consent

import (
	"encoding/json"
	"time"

	"skrin/ldp"
	"skrin/pod/registry"
	"skrin/pod/space"
	"skrin/pod/store"
)

// TypeMailed is the typ of the JWS by which a party asks.
const TypeMailed = "evidence-request+jwt"

const (
	mailLife  = time.Hour
	mailOpen  = 3 // requests of one party that may wait for an answer
	mailDaily = 5 // and that it may post a day
)

// A MailedRequest is the payload of the JWS (typ evidence-request+jwt, signed with
// a key that is registered for the party) by which a party that knows the person
// asks again, with no browser at hand: it posts it, as application/jwt, to the
// inbox/ of its space. The person finds it among her open requests; the party is
// told of the answer by a notification (RequestAnswered), and reads it at the
// Location that the POST was answered with, a [MailedAnswer].
type MailedRequest struct {
	Issuer   string            `json:"iss"` // the party's id
	Audience string            `json:"aud"` // this server
	Subject  string            `json:"sub"` // the person's WebID in the space
	ID       string            `json:"jti"` // the same again is the same request
	IssuedAt int64             `json:"iat"`
	Expires  int64             `json:"exp"`                   // at most an hour after iat
	Details  []json.RawMessage `json:"authorization_details"` // one evidence_request, with the checks of a pushed one
}

// A MailedAnswer is what a party reads of a request that it posted.
type MailedAnswer struct {
	State   string            `json:"state"`                           // "open", "agreed", "declined" or "unanswered"
	Reason  string            `json:"reason,omitempty"`                // of a refusal, if the person gave one: "too_much", "unknown_party", "other_way" or "not_now"
	Until   string            `json:"answer_by"`                       // the day
	Details []json.RawMessage `json:"authorization_details,omitempty"` // as granted
}

// Mailed reads what a party posted to the inbox of the space with the id, or says what
// is wrong with it.
func (b *Book) Mailed(party registry.Party, at, jws string) (*MailedRequest, []string) {
	payload, err := party.CheckSigned(jws, TypeMailed)
	if err != nil {
		return nil, []string{"the JWS: " + err.Error() + "."}
	}
	m := new(MailedRequest)
	if err := json.Unmarshal(payload, m); err != nil {
		return nil, []string{"the payload is not of the form of a request."}
	}
	var faults []string
	fault := func(bad bool, words string) {
		if bad {
			faults = append(faults, words)
		}
	}
	now, life := b.Now(), int64(mailLife/time.Second)
	fault(m.Issuer != party.ID || m.Audience != b.Issuer, "iss must be your id, and aud this server.")
	fault(m.Subject != string(space.WebID(b.Base, at)), "sub must be the person's WebID in this space.")
	fault(m.ID == "" || len(m.ID) > 128, "jti: 1 to 128 bytes are needed.")
	fault(m.IssuedAt > now.Add(time.Minute).Unix() || m.Expires <= now.Unix() || m.Expires > m.IssuedAt+life || m.IssuedAt < now.Unix()-life,
		"iat and exp: the request is not valid now, or for longer than an hour.")
	return m, faults
}

// CountMail refuses a party that asks too much.
func CountMail(tx store.Tx, party string, now time.Time) error {
	open, today := 0, 0
	err := store.Each(tx, RequestKey(""), func(r *Request) bool {
		if r.Party != party || !r.Mailed {
			return true
		}
		if r.State == Open && now.Before(r.AnswerBy) {
			open++
		}
		if space.Day(r.Created).Equal(space.Day(now)) {
			today++
		}
		return true
	})
	if err != nil || open < mailOpen && today < mailDaily {
		return err
	}
	return &ldp.Fault{Kind: ldp.TooMany, Detail: "You have asked this person enough for now. Wait for the answers.", Header: "Retry-After: 86400"}
}
