// SPDX-License-Identifier: EUPL-1.2

package pod

import (
	"context"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/loan"
	"skrin/pod/log"
	"skrin/pod/record"
	"skrin/pod/resource"
	"skrin/pod/store"
)

// Loans returns what the owner lets others do to her resources, as [loan.All] does.
func (p *Pod) Loans(ctx context.Context, who acl.Agent) (all []loan.Loan, err error) {
	err = p.viewOwn(ctx, who, func(tx store.Tx) (err error) { all, err = loan.All(tx); return err })
	return all, err
}

// LoansOn returns what she lets others do to one of them, as [loan.On] does.
func (p *Pod) LoansOn(ctx context.Context, who acl.Agent, id ldp.ID) (all []loan.Loan, err error) {
	err = p.viewOwn(ctx, who, func(tx store.Tx) (err error) { all, err = loan.On(tx, id); return err })
	return all, err
}

// Lend lets somebody do what the loan says; see [loan.Make].
func (p *Pod) Lend(ctx context.Context, who acl.Agent, l loan.Loan) error {
	return p.relend(ctx, who, l, log.DidLend, loan.Make)
}

// Unlend ends all that somebody may do to a resource; see [loan.End].
func (p *Pod) Unlend(ctx context.Context, who acl.Agent, l loan.Loan) error {
	return p.relend(ctx, who, l, log.DidUnlend, loan.End)
}

func (p *Pod) relend(ctx context.Context, who acl.Agent, l loan.Loan, did log.Action,
	do func(context.Context, store.Tx, *resource.Tree, *record.Change, loan.Loan) error) error {
	ch, err := record.NewChange(p.Now(), p.Rand)
	if err != nil {
		return err
	}
	return p.updateOwn(ctx, who, func(tx store.Tx) error {
		if err := do(ctx, tx, p.tree(), &ch, l); err != nil {
			return err
		}
		return log.Enter(tx, p.Now(), log.Entry{Action: did, Agent: acl.WebID(string(l.To) + l.Group), Path: string(l.On)})
	})
}
