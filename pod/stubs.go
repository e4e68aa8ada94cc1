// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"
	"encoding/json"

	"skrin/acl"
)

// CheckDetails: what may party ask, at the PAR endpoint
func (p *Pod) CheckDetails(ctx context.Context, party string, details []json.RawMessage) error {
	panic("todo")
}

// Begin puts a party's request before the person; key makes it idempotent; returns the request's id
func (p *Pod) Begin(ctx context.Context, who acl.Agent, key, party string, details []json.RawMessage) (string, error) {
	panic("todo")
}
func (p *Pod) Offer(ctx context.Context, who acl.Agent, request string) (Offer, error) { panic("todo") }
func (p *Pod) Fetch(ctx context.Context, who acl.Agent, request, supplier string) error {
	panic("todo")
} // asks a connected provider for the missing evidence
func (p *Pod) Answer(ctx context.Context, who acl.Agent, request string, a Answer) (Outcome, error) {
	panic("todo")
} // ldp.Conflict if Shown is stale
func (p *Pod) Outcome(ctx context.Context, who acl.Agent, request string) (Outcome, bool, error) {
	panic("todo")
}                                                                                   // false: not answered yet
func (p *Pod) Withdraw(ctx context.Context, who acl.Agent, consent string) error    { panic("todo") }
func (p *Pod) Requests(ctx context.Context, who acl.Agent) ([]Offer, error)         { panic("todo") } // open ones
func (p *Pod) Shares(ctx context.Context, who acl.Agent) ([]Share, error)           { panic("todo") }
func (p *Pod) Connections(ctx context.Context, who acl.Agent) ([]Connection, error) { panic("todo") }
func (p *Pod) Holdings(ctx context.Context, who acl.Agent) ([]Evidence, error)      { panic("todo") }
func (p *Pod) Log(ctx context.Context, who acl.Agent, before uint64, limit int) ([]Entry, error) {
	panic("todo")
} // newest first; before 0 = from the newest
