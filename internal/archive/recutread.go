package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// countingReader counts compressed bytes and remembers the source's own error,
// so that an unreachable store is not taken for a corrupt file.
type countingReader struct {
	r   io.Reader
	n   int64
	err error
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// attributeError decides whose fault an error of decoding is.
func (c *countingReader) attributeError(err error, format string, args ...any) error {
	if c.err != nil {
		return fmt.Errorf("read: %w", c.err)
	}
	if errors.Is(err, ErrHostile) {
		return err
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return corruptError("tarball", NoMember, err, format, args...)
}

// boundedReader is the uncompressed stream: it stops bombs, and knows whether
// the stream ended with the two zero blocks that end a tar archive.
type boundedReader struct {
	r     io.Reader
	in    *countingReader
	lim   HostileLimits
	n     int64
	zeros int // length of the run of zeros at the end, up to trailerLen
}

func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	run := n - len(bytes.TrimRight(p[:n], "\x00"))
	if run < n {
		b.zeros = 0
	}
	b.zeros = min(b.zeros+run, trailerLen)
	if b.n > b.lim.TotalBytes {
		return 0, hostileError("more than %d bytes uncompressed", b.lim.TotalBytes)
	}
	return n, err
}

// drainPadding reads what follows the end of the tar archive, which can only be
// padding, and with it the gzip checksum.
func (b *boundedReader) drainPadding() error {
	if b.zeros < trailerLen {
		return corruptError("tarball", NoMember, io.ErrUnexpectedEOF, "end of the tar archive")
	}
	buf := make([]byte, 32<<10)
	for from := b.n; ; {
		n, err := b.Read(buf)
		if b.n-from > maxPadding {
			return hostileError("more than %d bytes after the end of the tar archive", maxPadding)
		}
		if len(bytes.Trim(buf[:n], "\x00")) > 0 {
			return hostileError("data after the end of the tar archive")
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return b.in.attributeError(err, "gzip")
		}
	}
}

// checkBody verifies that the JSON is an object that says of itself what its
// path says, and returns its version. Maps, not structs: encoding/json matches
// struct fields in any case, the API server does not.
func checkBody(k Key, body []byte) (version string, err error) {
	var top, meta map[string]json.RawMessage
	if err := json.Unmarshal(body, &top); err != nil {
		return "", fmt.Errorf("invalid JSON: %w", err)
	}
	if err := json.Unmarshal(top["metadata"], &meta); err != nil {
		return "", fmt.Errorf("metadata: %w", err)
	}
	for _, f := range [...]struct {
		what, want string
		raw        json.RawMessage
	}{{"name", k.Name, meta["name"]}, {"namespace", k.Namespace, meta["namespace"]}} {
		have, err := decodeString(f.raw)
		if err != nil || have != f.want {
			return "", fmt.Errorf("metadata.%s is %.100q, the path says %q", f.what, have, f.want)
		}
	}
	api, err := decodeString(top["apiVersion"])
	if err != nil || api == "" {
		return "", fmt.Errorf("no apiVersion")
	}
	version = api[strings.IndexByte(api, '/')+1:]
	if !validVersion(version) {
		return "", fmt.Errorf("apiVersion %.100q", api)
	}
	return version, nil
}

// decodeString decodes a JSON string; absent and null are empty.
func decodeString(raw json.RawMessage) (s string, err error) {
	if len(raw) == 0 {
		return "", nil
	}
	err = json.Unmarshal(raw, &s)
	return s, err
}
