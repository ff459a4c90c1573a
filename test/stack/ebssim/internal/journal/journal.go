// Package journal keeps records on disk so that what was answered survives a
// crash of the process: every change is one appended line, and opening the
// journal rewrites it, whole and atomically, to one line a record.
package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Journal is an open journal. It is not safe for concurrent use.
type Journal struct{ file *os.File }

// Record is the state of one thing after a change; Value is null when it is gone.
type Record struct {
	Kind  string          `json:"kind"`
	ID    string          `json:"id"`
	Value json.RawMessage `json:"value,omitempty"`
}

// Open returns the last state of every record. A last line that a crash cut off
// was never answered and is dropped; any other damage is an error.
func Open(path string) (*Journal, []Record, error) {
	records, err := read(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", path, err)
	}
	if err := rewrite(path, records); err != nil {
		return nil, nil, fmt.Errorf("compact %s: %w", path, err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open journal: %w", err)
	}
	return &Journal{file: file}, records, nil
}

// Put records the new state of a thing.
func (j *Journal) Put(kind, id string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("journal %s %s: %w", kind, id, err)
	}
	return j.append(Record{Kind: kind, ID: id, Value: text})
}

// Delete records that a thing is gone.
func (j *Journal) Delete(kind, id string) error {
	return j.append(Record{Kind: kind, ID: id})
}

func (j *Journal) append(r Record) error {
	line, err := json.Marshal(r)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("journal %s %s: %w", r.Kind, r.ID, err)
	}
	return nil
}

// Close closes the file.
func (j *Journal) Close() error { return j.file.Close() }

func read(path string) ([]Record, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return parse(file)
}

func parse(r io.Reader) ([]Record, error) {
	var order []Record
	at := map[[2]string]int{}
	lines := bufio.NewReader(r)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return alive(order), nil
		}
		if err != nil {
			return nil, err
		}
		var record Record
		if err := json.Unmarshal(line, &record); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		key := [2]string{record.Kind, record.ID}
		if i, ok := at[key]; ok {
			order[i] = record
			continue
		}
		at[key] = len(order)
		order = append(order, record)
	}
}

func alive(records []Record) []Record {
	var out []Record
	for _, r := range records {
		if len(r.Value) > 0 && !bytes.Equal(r.Value, []byte("null")) {
			out = append(out, r)
		}
	}
	return out
}

func rewrite(path string, records []Record) error {
	var text bytes.Buffer
	for _, r := range records {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		text.Write(append(line, '\n'))
	}
	if err := os.WriteFile(path+".new", text.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
