// SPDX-License-Identifier: EUPL-1.2

package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"skrin/auth"
	"skrin/ldp"
)

// A job is long work that an operator has started over HTTP. One at a time is done
// on a node; how it goes is in the records, for whichever node is asked.
type job struct {
	ID      string    `json:"id"`
	Do      string    `json:"do"` // "backup", "fsck", "rotate" or "stats"
	By      string    `json:"by"` // the operator
	State   string    `json:"state"`
	Began   time.Time `json:"began"`
	Seen    time.Time `json:"seen"` // when it was last heard of
	Step    *pace     `json:"step,omitempty"`
	Fault   string    `json:"fault,omitempty"` // why it has failed
	Outcome *outcome  `json:"outcome,omitempty"`
}

// The states of a job.
const (
	jobRuns   = "running"
	jobDone   = "done"
	jobFailed = "failed"
	jobLost   = "lost" // its node has ended in the midst of it
)

const (
	jobKind  = "operator-job" // by id
	jobKept  = 7 * 24 * time.Hour
	jobBeat  = time.Second
	jobQuiet = time.Minute // without a sign of life it is lost
	jobFinds = 100         // findings of fsck that are kept
)

// jobs does them, one after the other.
type jobs struct {
	records auth.Records
	now     func() time.Time
	log     *slog.Logger
	do      func(context.Context, errand) (outcome, error)

	busy  atomic.Bool
	queue chan work
}

type work struct {
	job    job
	errand errand
}

func newJobs(s *server) *jobs {
	return &jobs{records: s.records, now: s.now, log: s.log, do: s.run, queue: make(chan work, 1)}
}

// start has an errand done, unless another is under way on this node.
func (j *jobs) start(ctx context.Context, e errand) (job, error) {
	if !j.busy.CompareAndSwap(false, true) {
		return job{}, &ldp.Fault{Kind: ldp.Conflict, Detail: "Another job is under way. Wait until it has ended.", Header: "Retry-After: 10"}
	}
	now := j.now().UTC().Truncate(time.Second)
	begun := job{ID: rand.Text(), Do: e.Do, By: e.by, State: jobRuns, Began: now, Seen: now}
	if err := j.save(ctx, begun); err != nil {
		j.busy.Store(false)
		return job{}, err
	}
	j.queue <- work{begun, e}
	return begun, nil
}

// run does what is started until ctx is done.
func (j *jobs) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-j.queue:
			j.work(ctx, w)
		}
	}
}

// work does one, and has a sign of life saved each second.
func (j *jobs) work(ctx context.Context, w work) {
	var at atomic.Pointer[pace]
	w.errand.told = func(s pace) { at.Store(&s) }
	ended, quiet := make(chan struct{}), make(chan struct{})
	going := w.job
	go func() {
		defer close(quiet)
		beat := time.NewTicker(jobBeat)
		defer beat.Stop()
		for {
			select {
			case <-ended:
				return
			case <-beat.C:
			}
			going.Step, going.Seen = at.Load(), j.now().UTC().Truncate(time.Second)
			if err := j.save(ctx, going); err != nil && ctx.Err() == nil {
				j.log.Warn("how a job goes was not kept", "job", going.Do, "error", err)
			}
		}
	}()
	o, err := j.do(ctx, w.errand)
	close(ended)
	<-quiet
	w.job.Seen, w.job.State = j.now().UTC().Truncate(time.Second), jobDone
	if o.Findings = o.Findings[:min(len(o.Findings), jobFinds)]; err == nil {
		w.job.Outcome = &o
	} else {
		w.job.State, w.job.Fault = jobFailed, err.Error()
	}
	j.busy.Store(false)
	if err := j.save(context.WithoutCancel(ctx), w.job); err != nil {
		j.log.Error("the outcome of a job was not kept", "job", w.job.Do, "error", err)
	}
}

// save keeps a job. Only the node that does it writes.
func (j *jobs) save(ctx context.Context, now job) error {
	text, err := json.Marshal(now)
	if err != nil {
		return err
	}
	r, err := j.records.Load(ctx, jobKind, now.ID)
	if err != nil && !errors.Is(err, auth.ErrNoRecord) {
		return fmt.Errorf("job: %w", err)
	}
	r.Value, r.Until = text, j.now().Add(jobKept)
	if err := j.records.Save(ctx, jobKind, now.ID, r); err != nil {
		return fmt.Errorf("job: %w", err)
	}
	return nil
}

// look returns how a job goes.
func (j *jobs) look(ctx context.Context, id string) (found job, err error) {
	r, err := j.records.Load(ctx, jobKind, id)
	if errors.Is(err, auth.ErrNoRecord) {
		return found, ldp.Refuse(ldp.NotFound, "There is no such job, or it is more than a week old.")
	}
	if err == nil {
		err = json.Unmarshal(r.Value, &found)
	}
	if err != nil {
		return found, fmt.Errorf("job: %w", err)
	}
	if found.State == jobRuns && j.now().Sub(found.Seen) > jobQuiet {
		found.State = jobLost
	}
	return found, nil
}
