// Package content digests what somebody wrote of a Kubernetes object, so that two states of
// it can be told apart by an index alone. What the API server and controllers keep up by
// themselves is no part of it, or every object would differ from one backup to the next:
//
//   - of the metadata only labels, annotations, finalizers and ownerReferences count, and not
//     the two labels of restored objects;
//   - the status does not;
//   - of a Lease, which its holder renews every few seconds, the spec does not.
//
// It is the choice of fields by which internal/resource/compare shows a difference. Fields
// count in the order in which the API server wrote them, which is the same for objects of one
// version.
package content

import (
	"bytes"
	"crypto/sha256"
)

// Size of a digest in bytes: half a SHA-256, since nobody gains by two contents of one digest
// that he has to write both.
const Size = 16

const leases = "leases.coordination.k8s.io"

// Sum digests an object of a resource ("plural.group") from its JSON. Bytes that are no JSON
// object count as they are. What is digested is gathered in scratch, which comes back for the
// next object: an export digests every one.
func Sum(scratch []byte, resource string, body []byte) (sum [Size]byte, used []byte) {
	used = scratch[:0]
	end := eachMember(body, 0, func(name []byte, from, value, to int) {
		switch {
		case string(name) == "status", string(name) == "spec" && resource == leases:
		case string(name) == "metadata":
			used = appendMetadata(used, body[value:to])
		default:
			used = append(append(used, body[from:to]...), ',')
		}
	})
	if end < 0 {
		used = append(append(used[:0], body...), ',')
	}
	all := sha256.Sum256(used)
	copy(sum[:], all[:])
	return sum, used
}

// appendMetadata ends each part, as Sum does, so that no two lists of parts are the same bytes.
func appendMetadata(dst, meta []byte) []byte {
	dst = append(dst, "metadata{,"...)
	eachMember(meta, 0, func(name []byte, from, value, to int) {
		switch string(name) {
		case "labels":
			dst = appendLabels(dst, meta[from:value], meta[value:to])
		case "annotations", "finalizers", "ownerReferences":
			dst = append(append(dst, meta[from:to]...), ',')
		}
	})
	return append(dst, "},"...)
}

// appendLabels leaves out the labels by which a restore marks what it has made or updated: what
// is left is as the API server writes it of an object that was never restored.
func appendLabels(dst, name, labels []byte) []byte {
	begin, kept, left := len(dst), 0, 0
	dst = append(append(dst, name...), '{')
	eachMember(labels, 0, func(label []byte, from, _, to int) {
		if string(label) == "velero.io/backup-name" || string(label) == "velero.io/restore-name" {
			left++
			return
		}
		if kept++; kept > 1 {
			dst = append(dst, ',')
		}
		dst = append(dst, labels[from:to]...)
	})
	switch {
	case left == 0: // whatever it looks like
		return append(append(append(dst[:begin], name...), labels...), ',')
	case kept == 0:
		return dst[:begin]
	}
	return append(dst, "},"...)
}

// eachMember calls fn with the name and the place of each member of the JSON object that
// begins at i: from the quote of its name, its value from value to to. It returns where the
// object ends, or -1 if it is none. It does not validate what it passes over.
func eachMember(b []byte, i int, fn func(name []byte, from, value, to int)) int {
	if i = skipSpace(b, i); i >= len(b) || b[i] != '{' {
		return -1
	}
	for i++; ; {
		if i = skipSpace(b, i); i < len(b) && b[i] == '}' {
			return i + 1
		}
		from, end := i, skipString(b, i)
		if end < 0 {
			return -1
		}
		if i = skipSpace(b, end); i >= len(b) || b[i] != ':' {
			return -1
		}
		value := skipSpace(b, i+1)
		if i = skipValue(b, value); i < 0 {
			return -1
		}
		fn(b[from+1:end-1], from, value, i)
		if i = skipSpace(b, i); i < len(b) && b[i] == ',' {
			i++
		}
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns where the string that begins at i ends, or -1.
func skipString(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; ; {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		i += n + 1
		if !isEscaped(b, i-1) {
			return i
		}
	}
}

// isEscaped says that an odd number of backslashes stands before i.
func isEscaped(b []byte, i int) bool {
	n := 0
	for i-n > 0 && b[i-n-1] == '\\' {
		n++
	}
	return n%2 == 1
}

// skipValue returns where the value that begins at i ends, or -1.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	from := i
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && skipSpace(b, i) == i {
		i++
	}
	if i == from {
		return -1
	}
	return i
}

// skipNested returns where the object or array that begins at i ends, or -1.
func skipNested(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = skipString(b, i); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}
