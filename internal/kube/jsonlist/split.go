package jsonlist

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

const (
	// DefaultMaxItem bounds one item. etcd refuses requests above 1.5 MiB by
	// default; 8 MiB leaves room for clusters that raised the limit.
	DefaultMaxItem = 8 << 20
	// bufferSize is what one read buffer begins with: enough for several
	// hundred ordinary objects, little enough for many lists at once.
	bufferSize = 256 << 10
	// keepSize is the largest buffer that is kept for reuse.
	keepSize = 1 << 20
)

// ErrTooLarge is returned for an item above the limit.
var ErrTooLarge = errors.New("object is too large")

// Head is the part of a list response that is not items.
type Head struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		ResourceVersion    string `json:"resourceVersion"`
		Continue           string `json:"continue"`
		RemainingItemCount *int64 `json:"remainingItemCount"`
	} `json:"metadata"`
}

// Splitter cuts list responses. The zero value is ready; one Splitter may
// serve any number of goroutines and reuses their buffers.
type Splitter struct {
	// MaxItem bounds the bytes of one item (and of every other value of the
	// list); 0 means DefaultMaxItem.
	MaxItem int
	buffers sync.Pool
}

// Split reads one list from r and calls fn for each item in order. It returns
// the list's head once the whole body has been read and found well-formed; fn
// may therefore have been called for items of a list that ends in an error. An
// error of fn ends the split and is returned as it is.
func (p *Splitter) Split(r io.Reader, fn func(Item) error) (Head, error) {
	w := p.newWindow(r)
	defer p.releaseWindow(w)
	sp := split{w: w, fn: fn}
	err := sp.splitList()
	return sp.head, err
}

func (p *Splitter) newWindow(r io.Reader) *window {
	limit := p.MaxItem
	if limit <= 0 {
		limit = DefaultMaxItem
	}
	buf, ok := p.buffers.Get().(*[]byte)
	if !ok {
		fresh := make([]byte, bufferSize)
		buf = &fresh
	}
	return &window{r: r, buf: *buf, limit: limit}
}

func (p *Splitter) releaseWindow(w *window) {
	if len(w.buf) <= keepSize {
		p.buffers.Put(&w.buf)
	}
}

// split is one run over one list.
type split struct {
	w        *window
	fn       func(Item) error
	head     Head
	sawItems bool
}

func (sp *split) splitList() error {
	c, err := sp.w.peekByte()
	if err != nil {
		return fmt.Errorf("read list: %w", err)
	}
	if c != '{' {
		return fmt.Errorf("read list: %w", errNotObject)
	}
	sp.w.advanceBy(1)
	if err := sp.splitMembers(); err != nil {
		return err
	}
	return sp.w.atEnd()
}

// splitMembers walks the keys of the list itself.
func (sp *split) splitMembers() error {
	c, err := sp.w.peekByte()
	if err == nil && c == '}' {
		sp.w.advanceBy(1)
		return nil
	}
	for err == nil {
		if err = sp.splitMember(); err != nil {
			return err
		}
		var done bool
		if done, err = sp.w.readSeparator('}'); done {
			return nil
		}
	}
	return fmt.Errorf("read list: %w", err)
}

func (sp *split) splitMember() error {
	var key string
	err := sp.w.consumeValue(func(s scanner) (int, error) {
		from, to, value, err := s.scanKey(0)
		if err == nil {
			key = string(s.unquoteText(from, to))
		}
		return value, err
	})
	if err != nil {
		return fmt.Errorf("read list: %w", err)
	}
	if key == "items" {
		return sp.splitItems()
	}
	if err := sp.headField(key); err != nil {
		return fmt.Errorf("read list: %s: %w", key, err)
	}
	return nil
}

// headField reads a value of the list that is not its items.
func (sp *split) headField(key string) error {
	var dst any
	switch key {
	case "metadata":
		dst = &sp.head.Metadata
	case "kind":
		dst = &sp.head.Kind
	case "apiVersion":
		dst = &sp.head.APIVersion
	}
	return sp.w.consumeValue(func(s scanner) (int, error) {
		end, err := s.skipValue(0, 1)
		if err == nil && dst != nil {
			err = json.Unmarshal(s.b[:end], dst)
		}
		return end, err
	})
}

func (sp *split) splitItems() error {
	if sp.sawItems {
		return errors.New("read list: two items arrays")
	}
	sp.sawItems = true
	c, err := sp.w.peekByte()
	if err != nil {
		return fmt.Errorf("read items: %w", err)
	}
	if c == 'n' {
		return sp.w.consumeValue(func(s scanner) (int, error) { return s.skipLiteral(0, "null") })
	}
	if c != '[' {
		return errors.New("read items: not an array")
	}
	sp.w.advanceBy(1)
	return sp.splitElements()
}

func (sp *split) splitElements() error {
	c, err := sp.w.peekByte()
	if err == nil && c == ']' {
		sp.w.advanceBy(1)
		return nil
	}
	for n := 0; err == nil; n++ {
		if err = sp.splitElement(n); err != nil {
			return err
		}
		var done bool
		if done, err = sp.w.readSeparator(']'); done {
			return nil
		}
	}
	return fmt.Errorf("read items: %w", err)
}

// splitElement hands out the item that stands at the front of the window. The
// window moves on only after fn has returned: the item lies in it.
func (sp *split) splitElement(n int) error {
	var it Item
	end, err := sp.w.scanWhole(func(s scanner) (int, error) {
		if s.b[0] != '{' {
			return 0, errNotObject
		}
		it = Item{}
		end, err := s.scanItem(0, &it)
		if err == nil {
			it.Raw = s.b[:end:end]
		}
		return end, err
	})
	if err != nil {
		return fmt.Errorf("read item %d: %w", n, err)
	}
	if err := sp.fn(it); err != nil {
		return err
	}
	sp.w.advanceBy(end)
	return nil
}
