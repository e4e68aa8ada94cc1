// SPDX-License-Identifier: EUPL-1.2

package web

import (
	"fmt"
	"net/http"
	"strings"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod/loan"
)

// A lent is what the person lets somebody do to a file or folder.
type lent struct {
	On, URL   string
	Folder    bool
	Who, What string
	To, Group string // for the form that ends it
	Made      bool
	Narrow    bool
}

// A lending is what the person has filled in to share a file.
type lending struct{ To, Address, What string }

func (v *visit) lent(l loan.Loan) lent {
	out := lent{
		On: v.pathName(string(l.On)), URL: v.address(l.On), Folder: l.On.IsContainer(), To: string(l.To), Group: l.Group, Made: l.Made, Narrow: l.Narrow,
		Who: v.agentName(l.To), What: v.modes(l.Modes),
	}
	if l.Group != "" {
		out.Who = v.t("lend.group", "address", plain(l.Group))
	}
	if l.On == v.root() {
		out.On = v.t("nav.files")
	}
	return out
}

// agentName names whoever something is lent to.
func (v *visit) agentName(who acl.WebID) string {
	switch who {
	case acl.Public:
		return v.t("lend.everybody")
	case acl.Authenticated:
		return v.t("lend.signedin")
	}
	return plain(string(who))
}

func (v *visit) modes(m acl.Mode) string {
	switch {
	case m.Has(acl.Control):
		return v.t("lend.may.control")
	case m.Has(acl.Read | acl.Write):
		return v.t("lend.may.change")
	case m.Has(acl.Read | acl.Append):
		return v.t("lend.may.add")
	case m.Has(acl.Read):
		return v.t("lend.may.read")
	}
	return v.t("lend.may.drop")
}

func (v *visit) loans() ([]lent, error) {
	all, err := v.Pod.Loans(v.r.Context(), v.who)
	if err != nil {
		return nil, fmt.Errorf("list what is lent: %w", err)
	}
	var out []lent
	for _, l := range all {
		out = append(out, v.lent(l))
	}
	return out, nil
}

// lentAt returns who may use a file or folder.
func (v *visit) lentAt(id ldp.ID) ([]lent, error) {
	all, err := v.Pod.LoansOn(v.r.Context(), v.who, id)
	if err != nil {
		return nil, fmt.Errorf("list what is lent: %w", err)
	}
	var out []lent
	for _, l := range all {
		out = append(out, v.lent(l))
	}
	return out, nil
}

// lending returns what was filled in, on the page that says what is wrong with it.
func (v *visit) lending(status int) lending {
	f := v.r.PostForm
	if status == http.StatusOK {
		return lending{}
	}
	return lending{f.Get("to"), f.Get("address"), f.Get("what")}
}

var lendable = map[string]acl.Mode{"read": acl.Read, "change": acl.Read | acl.Write}

func (v *visit) lendFile(id ldp.ID) error {
	form := v.r.PostForm
	l := loan.Loan{On: id, Modes: lendable[form.Get("what")]}
	address := strings.TrimSpace(form.Get("address"))
	switch form.Get("to") {
	case "everybody":
		l.To, l.Modes = acl.Public, acl.Read
	case "person":
		l.To = acl.WebID(address)
	case "group":
		l.Group = address
	}
	err := v.Pod.Lend(v.r.Context(), v.who, l)
	switch k := ldp.KindOf(err); {
	case err == nil:
		return v.seeOther(v.address(id) + "?done=lent")
	case k == ldp.Invalid:
		return v.file(http.StatusUnprocessableEntity, id, v.t("lend.wrong"), "lend")
	}
	return fmt.Errorf("lend a file: %w", err)
}

func (v *visit) unlendFile(id ldp.ID) error {
	form := v.r.PostForm
	err := v.Pod.Unlend(v.r.Context(), v.who, loan.Loan{On: id, To: acl.WebID(form.Get("agent")), Group: form.Get("group")})
	if err != nil {
		return fmt.Errorf("end a loan: %w", err)
	}
	if form.Get("back") == "sharing" {
		return v.seeOther("/me/sharing?done=unlent")
	}
	return v.seeOther(v.address(id) + "?done=unlent")
}
