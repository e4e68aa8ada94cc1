// SPDX-License-Identifier: EUPL-1.2

package log

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// hashEnd is how the line of an entry ends: its hash of 64 digits. The hash is
// that of the line with an empty one.
const hashEnd = `","hash":"`

// A line is what an exported line says that the chain needs.
type line struct {
	Seq        uint64
	Prev, Hash string
	Checkpoint string
}

// VerifyExport reads a log that was exported line by line and reports its first
// fault: an entry that was changed, dropped or moved, one that doesn't belong,
// or an end that is not the one that the server signed. check verifies a
// checkpoint's JWS and returns its payload. since, if not nil, is the checkpoint
// of an earlier export of the same log, of which this must be a continuation.
func VerifyExport(r io.Reader, check func(jws string) ([]byte, error), since *Checkpoint) (Checkpoint, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	lines.Split(splitLines)
	var at verified
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return at.Checkpoint, fmt.Errorf("after entry %d: a line is not JSON", at.Seq)
		}
		if l.Checkpoint != "" {
			if string(lines.Bytes()) != CheckpointLine(l.Checkpoint) || lines.Scan() {
				return at.Checkpoint, errors.New("something stands beside or after the checkpoint")
			}
			return at.signed(l.Checkpoint, check, since)
		}
		if err := at.follow(lines.Bytes(), l); err != nil {
			return at.Checkpoint, err
		}
		if since != nil && at.Seq == since.Seq && at.Head != since.Head {
			return at.Checkpoint, fmt.Errorf("entry %d is another than when the earlier checkpoint was signed", at.Seq)
		}
	}
	if err := lines.Err(); err != nil {
		return at.Checkpoint, fmt.Errorf("after entry %d: %w", at.Seq, err)
	}
	return at.Checkpoint, fmt.Errorf("the log ends after entry %d without a checkpoint: its end was cut off", at.Seq)
}

// splitLines is bufio.ScanLines that takes every byte for what it is, also a
// carriage return before the line's end.
func splitLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// CheckpointLine is the last line of an exported log.
func CheckpointLine(signed string) string {
	quoted, _ := json.Marshal(signed)
	return `{"checkpoint":` + string(quoted) + "}"
}

// A verified is as much of an exported log as was read and found whole.
type verified struct {
	Checkpoint // but for what only the signed one says
	tree       Tree
}

// follow moves on to the entry in a line, if it follows.
func (c *verified) follow(text []byte, l line) error {
	if l.Seq != c.Seq+1 {
		return fmt.Errorf("entry %d is missing, or stands in another place", c.Seq+1)
	}
	if l.Prev != c.Head {
		return fmt.Errorf("entry %d does not follow the one before it", l.Seq)
	}
	end := len(text) - len(hashEnd) - 2*sha256.Size - len(`"}`)
	if end < 0 || !bytes.HasPrefix(text[end:], []byte(hashEnd)) {
		return fmt.Errorf("entry %d was changed: it does not end with its hash", l.Seq)
	}
	h := sha256.New()
	h.Write(text[:end+len(hashEnd)])
	io.WriteString(h, `"}`)
	if sum := hex.EncodeToString(h.Sum(nil)); string(text[end+len(hashEnd):]) != sum+`"}` || l.Hash != sum {
		return fmt.Errorf("entry %d was changed", l.Seq)
	}
	c.Seq, c.Head = l.Seq, l.Hash
	c.tree.Add(text)
	return nil
}

// signed compares what was read with what the server signed.
func (c *verified) signed(text string, check func(string) ([]byte, error), since *Checkpoint) (Checkpoint, error) {
	s, err := openCheckpoint(text, check)
	if err != nil {
		return c.Checkpoint, fmt.Errorf("the checkpoint: %w", err)
	}
	switch {
	case s.Seq != c.Seq || s.Head != c.Head || s.Root != c.tree.Root():
		return c.Checkpoint, fmt.Errorf("the log has %d entries, but the server signed %d: entries were cut off or added", c.Seq, s.Seq)
	case since != nil && (s.Seq < since.Seq || s.Origin != since.Origin):
		return c.Checkpoint, fmt.Errorf("the log had %d entries at the earlier checkpoint, and now has %d", since.Seq, s.Seq)
	}
	return s, nil
}
