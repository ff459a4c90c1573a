package jsonlist

import (
	"errors"
	"io"
)

// window is the unread front of a stream: buf[from:to].
type window struct {
	r        io.Reader
	buf      []byte
	from, to int
	limit    int
	eof      bool
}

func (w *window) unreadBytes() []byte { return w.buf[w.from:w.to] }

func (w *window) advanceBy(n int) { w.from += n }

// scanWhole runs scan over the window until the value that begins at its front is
// whole. A value cut off by the window's end is scanned again from its
// beginning: once for each time the buffer was filled, that is once in some
// hundred ordinary items, and the buffer doubles for large ones.
func (w *window) scanWhole(scan func(scanner) (int, error)) (int, error) {
	for {
		if w.from < w.to {
			end, err := scan(scanner{w.unreadBytes()})
			if !errors.Is(err, errMore) {
				if err == nil && end > w.limit {
					err = ErrTooLarge
				}
				return end, err
			}
		}
		if err := w.fillBuffer(); err != nil {
			return 0, err
		}
	}
}

// consumeValue is scanWhole for a value that is done with when scan returns.
func (w *window) consumeValue(scan func(scanner) (int, error)) error {
	end, err := w.scanWhole(scan)
	if err == nil {
		w.advanceBy(end)
	}
	return err
}

// peekByte skips white space and returns the byte behind it.
func (w *window) peekByte() (byte, error) {
	for {
		at, err := scanner{w.unreadBytes()}.skipSpace(0)
		w.advanceBy(at)
		if err == nil {
			return w.buf[w.from], nil
		}
		if err := w.fillBuffer(); err != nil {
			return 0, err
		}
	}
}

// readSeparator reads the closing byte (done) or a comma and the space behind it.
func (w *window) readSeparator(closing byte) (done bool, err error) {
	c, err := w.peekByte()
	if err != nil {
		return false, err
	}
	w.advanceBy(1)
	switch c {
	case closing:
		return true, nil
	case ',':
		_, err = w.peekByte()
		return false, err
	}
	_, err = syntaxError("expected ',' or '"+string(closing)+"'", w.from-1)
	return false, err
}

// atEnd reads the rest of the stream, which must be white space.
func (w *window) atEnd() error {
	_, err := w.peekByte()
	if errors.Is(err, io.ErrUnexpectedEOF) && w.eof {
		return nil
	}
	if err == nil {
		err = errors.New("read list: data after the list")
	}
	return err
}

// fillBuffer makes room and reads until the buffer is full or the stream ends, so
// that a stream of small frames does not cause a scan for each.
func (w *window) fillBuffer() error {
	if w.eof {
		return io.ErrUnexpectedEOF
	}
	if err := w.makeRoom(); err != nil {
		return err
	}
	n, err := io.ReadFull(w.r, w.buf[w.to:])
	w.to += n
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		// The transport reports a body cut short as ErrUnexpectedEOF too; either
		// way the document shows whether it is whole.
		w.eof, err = true, nil
	}
	if w.eof && n == 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// makeRoom moves the unread bytes to the front, or doubles a full buffer.
func (w *window) makeRoom() error {
	unread := w.to - w.from
	if unread > w.limit {
		return ErrTooLarge
	}
	dst := w.buf
	if unread > len(w.buf)/2 {
		dst = make([]byte, 2*len(w.buf))
	}
	copy(dst, w.unreadBytes())
	w.buf, w.from, w.to = dst, 0, unread
	return nil
}
