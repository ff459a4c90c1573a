package jsonlist

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Item is one object of a list. All slices are parts of the read buffer and
// hold only until the callback that received them returns.
type Item struct {
	// Raw is the object as the server sent it, without surrounding space.
	Raw []byte
	// APIVersion and Kind are nil when the item does not carry them, as the
	// items of most built-in lists do not.
	APIVersion, Kind []byte
	// Namespace, Name, UID and ResourceVersion are unquoted; nil when absent.
	Namespace, Name, UID, ResourceVersion []byte
	// Labels and OwnerReferences are the raw JSON values; nil when absent or
	// null.
	Labels, OwnerReferences []byte
	// Deleting says that metadata.deletionTimestamp is set.
	Deleting bool
}

// errNotObject is the cause given for an item or its metadata of another type.
var errNotObject = errors.New("not a JSON object")

// Scan validates one object and notes its identity. It is what Split does for
// every item, for callers that hold a single object.
func Scan(raw []byte) (Item, error) {
	s := scanner{raw}
	at, err := s.skipSpace(0)
	if err == nil && raw[at] != '{' {
		err = errNotObject
	}
	var it Item
	end := at
	if err == nil {
		end, err = s.scanItem(at, &it)
	}
	if err == nil {
		it.Raw = raw[at:end]
		if rest, _ := s.skipSpace(end); rest != len(raw) {
			_, err = syntaxError("data after the object", rest)
		}
	}
	if errors.Is(err, errMore) {
		err = fmt.Errorf("object ends early after %d bytes", len(raw))
	}
	return it, err
}

// scanItem walks the object whose brace stands at i and fills it.
func (s scanner) scanItem(i int, it *Item) (int, error) {
	return s.scanMembers(i, 3, func(from, to, v int) (int, error) {
		switch key := s.unquoteText(from, to); string(key) {
		case "metadata":
			return s.scanMetadata(v, it)
		case "apiVersion":
			return s.scanText(v, "apiVersion", &it.APIVersion)
		case "kind":
			return s.scanText(v, "kind", &it.Kind)
		}
		return s.skipValue(v, 3)
	})
}

func (s scanner) scanMetadata(i int, it *Item) (int, error) {
	if s.b[i] == 'n' {
		return s.skipLiteral(i, "null")
	}
	if s.b[i] != '{' {
		return i, fmt.Errorf("metadata: %w", errNotObject)
	}
	return s.scanMembers(i, 4, func(from, to, v int) (int, error) {
		switch key := s.unquoteText(from, to); string(key) {
		case "name":
			return s.scanText(v, "metadata.name", &it.Name)
		case "namespace":
			return s.scanText(v, "metadata.namespace", &it.Namespace)
		case "uid":
			return s.scanText(v, "metadata.uid", &it.UID)
		case "resourceVersion":
			return s.scanText(v, "metadata.resourceVersion", &it.ResourceVersion)
		case "labels":
			return s.scanPresent(v, &it.Labels)
		case "ownerReferences":
			return s.scanPresent(v, &it.OwnerReferences)
		case "deletionTimestamp":
			var when []byte
			end, err := s.scanPresent(v, &when)
			it.Deleting = when != nil
			return end, err
		}
		return s.skipValue(v, 4)
	})
}

// scanText reads a string; null leaves what stands in dst, as encoding/json does.
func (s scanner) scanText(i int, path string, dst *[]byte) (int, error) {
	if s.b[i] == 'n' {
		return s.skipLiteral(i, "null")
	}
	if s.b[i] != '"' {
		return i, fmt.Errorf("%s: not a string", path)
	}
	end, err := s.skipString(i)
	if err == nil {
		*dst = s.unquoteText(i, end)
	}
	return end, err
}

// scanPresent notes the bytes of a value that is not null.
func (s scanner) scanPresent(i int, dst *[]byte) (int, error) {
	end, err := s.skipValue(i, 4)
	*dst = nil
	if err == nil && s.b[i] != 'n' {
		*dst = s.b[i:end]
	}
	return end, err
}

// unquoteText returns the text of the quoted string b[from:to]. Only a string
// with escapes or bytes outside ASCII (which may be invalid UTF-8, to be
// replaced) is copied: identities hold neither.
func (s scanner) unquoteText(from, to int) []byte {
	text := s.b[from+1 : to-1]
	for _, c := range text {
		if c == '\\' || c >= 0x80 {
			var out string
			if err := json.Unmarshal(s.b[from:to], &out); err != nil {
				return text // cannot be: the string was validated just before
			}
			return []byte(out)
		}
	}
	return text
}
