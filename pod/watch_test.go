// SPDX-License-Identifier: EUPL-1.2

package pod_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"skrin/acl"
	"skrin/ldp"
	"skrin/pod"
	"skrin/pod/channel"
	"skrin/pod/record"
)

// An audience listens to topics.
type audience map[ldp.ID][]acl.Agent

func (a audience) Listening(topic ldp.ID) []acl.Agent { return a[topic] }

func (a audience) Topics() (all []ldp.ID) {
	for topic := range a {
		all = append(all, topic)
	}
	slices.Sort(all)
	return all
}

// heard returns, a line each, what an agent that listens to topics is told of
// what happened after a number.
func (b *bench) heard(after uint64, who acl.Agent, topics ...ldp.ID) (string, uint64) {
	b.Helper()
	a := audience{}
	for _, topic := range topics {
		a[topic] = []acl.Agent{who}
	}
	h, err := b.Hear(b.Context(), b.mem.ids[0], after, a)
	if err != nil {
		b.Fatal(err)
	}
	var lines []string
	for _, act := range h.Activities {
		if !h.May[pod.Ear{Topic: act.Topic(), Who: who}] {
			continue
		}
		line := act.Kind + " " + strings.TrimPrefix(string(act.Object), string(b.root))
		if act.Target != "" {
			line += " to " + strings.TrimPrefix(string(act.Target), string(b.root))
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), h.Last
}

func (b *bench) subscribe(who acl.Agent, s channel.Subscription) channel.Subscription {
	b.Helper()
	s, err := b.Subscribe(b.Context(), who, s)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// write puts a text as the owner.
func (b *bench) write(path, body string) {
	b.Helper()
	b.must(b.put(b.owner, path, plain, body))
}

// TestJournal: what a write does is heard by who listens to what it changes.
func TestJournal(t *testing.T) {
	b := newBench(t)
	b.subscribe(b.owner, channel.Subscription{Topic: b.root, Channel: "WebSocketChannel2023"})
	for _, row := range []struct {
		does   string
		do     func()
		topics []string
		want   string
	}{
		{"a new document is created, and added to its container", func() { b.write("a/b", "x") }, []string{"a/b", "a/", ""},
			"Create a/b\nAdd a/b to a/\nCreate a/\nAdd a/ to "},
		{"a document that is replaced is updated, and its container isn't", func() { b.write("a/b", "y") }, []string{"a/b", "a/", ""}, "Update a/b"},
		{"a document that is deleted is removed from its container", func() { b.must(b.delete(b.owner, "a/b")) }, []string{"a/b", "a/"}, "Delete a/b\nRemove a/b to a/"},
		{"nothing is heard of what nobody listens to", func() { b.write("a/c", "x") }, []string{"a/b"}, ""},
	} {
		_, before := b.heard(0, b.owner)
		row.do()
		var topics []ldp.ID
		for _, topic := range row.topics {
			topics = append(topics, b.id(topic))
		}
		if got, _ := b.heard(before, b.owner, topics...); got != row.want {
			t.Errorf("%s: heard\n%s\nwant\n%s", row.does, got, row.want)
		}
	}
}

// TestJournalState: the state is the ETag that the topic has then.
func TestJournalState(t *testing.T) {
	b := newBench(t)
	b.subscribe(b.owner, channel.Subscription{Topic: b.id("a"), Channel: "WebSocketChannel2023"})
	b.write("a", "x")
	res, err := b.read(b.owner, "a")
	must(t, err)
	res.Body.Close()
	h, err := b.Hear(t.Context(), b.mem.ids[0], 0, audience{b.id("a"): {b.owner}})
	if err != nil || len(h.Activities) != 1 || h.Activities[0].State != ldp.EntityTag(res.Tag, plain) {
		t.Errorf("%+v, %v; the tag is %s", h.Activities, err, res.Tag)
	}
}

// TestJournalWithdrawn: who may no longer read hears nothing, though he
// subscribed when he might.
func TestJournalWithdrawn(t *testing.T) {
	b := newBench(t)
	b.write("a", "x")
	b.allow(bob.ID, "a", "R", "")
	b.subscribe(bob, channel.Subscription{Topic: b.id("a"), Channel: "WebSocketChannel2023"})
	b.write("a", "y")
	first, last := b.heard(0, bob, b.id("a"))
	b.allow(bob.ID, "a", "", "")
	b.write("a", "z")
	second, _ := b.heard(last, bob, b.id("a"))
	if first != "Update a" || second != "" {
		t.Errorf("heard %q, and after the withdrawal %q", first, second)
	}
}

// TestJournalOfWhatIsGone: who might read what is deleted by an ACL document of its
// own, which is deleted with it, hears that it is gone; and no more. Who might no
// longer, or never, hears nothing.
func TestJournalOfWhatIsGone(t *testing.T) {
	for _, row := range []struct {
		is   string
		do   func(b *bench)
		want string
	}{
		{"a document is deleted", func(b *bench) { b.must(b.delete(b.owner, "a")) }, "Delete a"},
		{"it is changed, and deleted", func(b *bench) { b.write("a", "y"); b.must(b.delete(b.owner, "a")) }, "Update a\nDelete a"},
		{"he may read it no longer, and it is deleted", func(b *bench) { b.allow(bob.ID, "a", "", ""); b.must(b.delete(b.owner, "a")) }, ""},
		{"it is deleted, and made again for the owner alone", func(b *bench) { b.must(b.delete(b.owner, "a")); b.write("a", "z") }, ""},
	} {
		b := newBench(t)
		b.write("a", "x")
		b.allow(bob.ID, "a", "R", "")
		b.subscribe(bob, channel.Subscription{Topic: b.id("a"), Channel: "WebSocketChannel2023"})
		_, before := b.heard(0, bob, b.id("a"))
		row.do(b)
		got, last := b.heard(before, bob, b.id("a"))
		if stranger, _ := b.heard(before, acl.Agent{ID: "https://id.example/carol#me"}, b.id("a")); got != row.want || stranger != "" {
			t.Errorf("%s: heard %q, a stranger %q", row.is, got, stranger)
		}
		b.write("a", "again")
		if got, _ := b.heard(last, bob, b.id("a")); got != "" {
			t.Errorf("%s, and later made: heard %q", row.is, got)
		}
	}
}

// TestDismissedProgramsHearNothing: a program that acts for somebody no more hears
// nothing of another's pod, by stream or by webhook, and can't connect again.
func TestDismissedProgramsHearNothing(t *testing.T) {
	b := newBench(t)
	app := bob
	app.Client, app.Issuer = "app", b.Issuer
	gone := false
	b.Dismissed = func(_ context.Context, who acl.Agent) (bool, error) { return gone && who == app, nil }
	b.write("a", "x")
	b.allow(bob.ID, "a", "R", "")
	s := b.subscribe(app, channel.Subscription{Topic: b.id("a"), Channel: "WebSocketChannel2023"})
	b.write("a", "y")
	heard, before := b.heard(0, app, b.id("a"))
	if may, err := b.MayHear(t.Context(), app, b.id("a")); heard != "Update a" || !may || err != nil {
		t.Fatalf("heard %q, may %t, %v", heard, may, err)
	}
	gone = true
	b.write("a", "z")
	if got, _ := b.heard(before, app, b.id("a")); got != "" {
		t.Errorf("heard %q", got)
	}
	if got, _ := b.heard(before, bob, b.id("a")); got != "Update a" {
		t.Errorf("he himself heard %q", got)
	}
	if may, err := b.MayHear(t.Context(), app, b.id("a")); may || err != nil {
		t.Errorf("its webhook is called: %t, %v", may, err)
	}
	if _, err := b.Attach(t.Context(), s.Topic.First(), s.ID); err == nil {
		t.Error("it connects again")
	}
}

// TestJournalRing: who is further behind than the journal goes is told how the
// topic is.
func TestJournalRing(t *testing.T) {
	b := newBench(t)
	b.subscribe(b.owner, channel.Subscription{Topic: b.id("a"), Channel: "WebSocketChannel2023"})
	for i := range 300 {
		b.write("a", fmt.Sprint(i))
	}
	if got, _ := b.heard(1, b.owner, b.id("a"), b.id("never")); got != "Update a\nDelete never" {
		t.Errorf("heard %q", got)
	}
	if n := strings.Count(b.mem.keys(), "v0"); n > 256 {
		t.Errorf("the journal keeps %d activities", n)
	}
}

// TestUnwatched: in a pod that nobody subscribed to, a write leaves no trace for
// subscribers and reads no more than it did; nor after the last has ended.
func TestUnwatched(t *testing.T) {
	b := newBench(t)
	cost := func() int {
		before := b.mem.gets
		b.write("a", "x")
		return b.mem.gets - before
	}
	cost()
	unwatched := cost()
	b.subscribe(b.owner, channel.Subscription{Topic: b.id("a"), Channel: "WebSocketChannel2023", End: b.clock.now().Add(time.Hour)})
	if n := cost(); n <= unwatched {
		t.Errorf("a watched write reads %d times, an unwatched one %d: the test sees nothing", n, unwatched)
	}
	b.clock.wait(2 * time.Hour)
	_, last := b.heard(0, b.owner)
	if n := cost(); n != unwatched {
		t.Errorf("a write after the last subscription reads %d times, before the first %d", n, unwatched)
	}
	if _, now := b.heard(0, b.owner); now != last {
		t.Errorf("the journal went on from %d to %d", last, now)
	}
}

// TestSubscribe: who may subscribe to what.
func TestSubscribe(t *testing.T) {
	b := newBench(t)
	b.write("open", "x")
	b.allow(acl.Public, "open", "R", "")
	hook := "https://app.example/hook"
	for _, row := range []struct {
		sentence string
		who      acl.Agent
		s        channel.Subscription
		want     error
	}{
		{"the owner, to what she has", b.owner, channel.Subscription{Topic: b.id("open")}, nil},
		{"the owner, to what isn't there yet", b.owner, channel.Subscription{Topic: b.id("later")}, nil},
		{"everybody, to what everybody may read", stranger, channel.Subscription{Topic: b.id("open")}, nil},
		{"nobody, to what is hidden", bob, channel.Subscription{Topic: b.id("later")}, ldp.Forbidden},
		{"no stranger, to what is hidden", stranger, channel.Subscription{Topic: b.id("later")}, ldp.Unauthenticated},
		{"nobody but who controls, to an ACL document", bob, channel.Subscription{Topic: b.id("open.acl")}, ldp.Forbidden},
		{"no stranger, by a webhook", stranger, channel.Subscription{Topic: b.id("open"), Hook: hook}, ldp.Unauthenticated},
		{"whoever signed in, by a webhook", bob, channel.Subscription{Topic: b.id("open"), Hook: hook}, nil},
		{"nobody, to a pairwise space", bob, channel.Subscription{Topic: "/w/" + ldp.ID(strings.Repeat("a", 26)) + "/"}, ldp.Forbidden},
		{"nobody, to a pod that isn't there", bob, channel.Subscription{Topic: "/nowhere/"}, ldp.Forbidden},
		{"nobody, until a time that has passed", b.owner, channel.Subscription{Topic: b.id("open"), End: noon.Add(-time.Hour)}, ldp.Unprocessable},
	} {
		s, err := b.Subscribe(t.Context(), row.who, row.s)
		if !errors.Is(err, row.want) || row.want == nil && (s.End.After(noon.Add(7*24*time.Hour)) || s.End.IsZero()) {
			t.Errorf("%s: %+v, %v", row.sentence, s, err)
		}
	}
}

// TestAttach: who has a channel's id may listen as long as the subscriber may
// read, and learns nothing otherwise.
func TestAttach(t *testing.T) {
	b := newBench(t)
	b.write("a", "x")
	b.allow(bob.ID, "a", "R", "")
	name := b.root.First()
	s := b.subscribe(bob, channel.Subscription{Topic: b.id("a"), State: `"other.raw"`})
	at, err := b.Attach(t.Context(), name, s.ID)
	if err != nil || at.Who != bob || at.Now == nil || at.Now.Kind != record.Updated {
		t.Fatalf("%+v, %v", at, err)
	}
	same := b.subscribe(bob, channel.Subscription{Topic: b.id("a"), State: at.Now.State})
	if at, err := b.Attach(t.Context(), name, same.ID); err != nil || at.Now != nil {
		t.Errorf("who knows the state is told: %+v, %v", at.Now, err)
	}
	for sentence, id := range map[string]string{"a made-up id": s.ID[:10] + strings.Repeat("a", 26), "no id": "", "a path": "../../" + s.ID} {
		if _, err := b.Attach(t.Context(), name, id); !errors.Is(err, ldp.NotFound) {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	b.allow(bob.ID, "a", "", "")
	if _, err := b.Attach(t.Context(), name, s.ID); !errors.Is(err, ldp.NotFound) {
		t.Errorf("after the withdrawal: %v", err)
	}
	if err := b.Unsubscribe(t.Context(), stranger, name, same.ID); !errors.Is(err, ldp.NotFound) {
		t.Errorf("another's channel: %v", err)
	}
	if err := b.Unsubscribe(t.Context(), bob, name, same.ID); err != nil {
		t.Error(err)
	}
	apps := b.owner
	apps.Client = "https://app.example/id"
	ended := b.subscribe(apps, channel.Subscription{Topic: b.id("a")})
	kept := b.subscribe(b.owner, channel.Subscription{Topic: b.id("a")})
	must(t, b.EndChannels(t.Context(), b.owner, apps.Client))
	if _, err := b.Attach(t.Context(), name, ended.ID); !errors.Is(err, ldp.NotFound) {
		t.Errorf("an app that was taken away: %v", err)
	}
	if _, err := b.Attach(t.Context(), name, kept.ID); err != nil {
		t.Errorf("another app: %v", err)
	}
	b.clock.wait(7*24*time.Hour + time.Hour)
	if _, err := b.Attach(t.Context(), name, s.ID); !errors.Is(err, ldp.NotFound) {
		t.Errorf("after its end: %v", err)
	}
}

// TestCalls: a webhook is called for each change, again and again where that
// fails, and is parked in the end where everybody concerned sees it.
func TestCalls(t *testing.T) {
	b := newBench(t)
	id := b.mem.ids[0]
	s := b.subscribe(b.owner, channel.Subscription{Topic: b.id("a"), Hook: "https://app.example/hook"})
	take := func() []channel.Call {
		t.Helper()
		calls, err := b.TakeCalls(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return calls
	}
	waiting := func() bool {
		due, err := b.Waiting(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(due) == 1
	}
	if len(take()) != 0 || waiting() {
		t.Fatal("there is nothing to be told")
	}
	b.write("other", "x")
	if waiting() {
		t.Fatal("a change of something else waits")
	}
	b.write("a", "1")
	b.write("a", "2")
	if !waiting() {
		t.Fatal("nothing waits")
	}
	calls := take()
	if len(calls) != 1 || len(calls[0].Tell) != 2 || calls[0].Tell[0].Kind != record.Created || calls[0].Tell[1].Kind != record.Updated {
		t.Fatalf("%+v", calls)
	}
	if len(take()) != 0 || waiting() {
		t.Fatal("what is leased is taken again")
	}
	must(t, b.Called(t.Context(), id, calls[0]))
	if waiting() {
		t.Fatal("what was received waits")
	}
	b.write("a", "3")
	var waits []time.Duration
	for {
		calls := take()
		parked, err := b.CallLater(t.Context(), id, calls[0], 0, "unreachable", false)
		must(t, err)
		_ = parked
		now, err := b.Channel(t.Context(), b.owner, b.root.First(), s.ID)
		must(t, err)
		if now.Parked {
			break
		}
		waits = append(waits, now.Next.Sub(b.clock.now()))
		b.clock.wait(now.Next.Sub(b.clock.now()))
	}
	if waits[0] != 5*time.Second || waits[1] != 10*time.Second || waits[len(waits)-1] != 6*time.Hour || len(waits) > 40 {
		t.Errorf("tried again after %v", waits)
	}
	must(t, b.Sweep(t.Context(), id)) // how many subscriptions were made on a day that is over
	if waiting() {
		t.Error("a parked webhook waits")
	}
	hooks, err := b.Hooks(t.Context(), b.owner)
	if err != nil || len(hooks) != 1 || !hooks[0].Parked || hooks[0].Trouble != "unreachable" {
		t.Errorf("the owner sees %+v, %v", hooks, err)
	}
}
