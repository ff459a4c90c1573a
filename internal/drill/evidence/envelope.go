package evidence

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// maxFileBytes bounds a file. The evidence of 10,000 objects has some 100 KiB.
const maxFileBytes = 8 << 20

const payloadType = "application/vnd.in-toto+json"

// envelope is DSSE's, with its fields in this order and one signature.
type envelope struct {
	Payload     string      `json:"payload"`
	PayloadType string      `json:"payloadType"`
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID Digest `json:"keyid"`
	Sig   string `json:"sig"`
}

// Evidence is a file that was read.
type Evidence struct {
	Statement Statement
	Digest    Digest // of the file, by which the next drill names it
	Signer    Digest // KeyID of the key that the envelope names; Verify has checked it, Read has not
}

func (e Evidence) chain() Chain { return e.Statement.Predicate.Chain }

// Sign makes the file of a statement. It refuses one that does not pass Check. The same
// statement and key give the same file.
func Sign(s Statement, key ed25519.PrivateKey) ([]byte, error) {
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("sign evidence: %w", err)
	}
	payload, err := encode(s)
	if err != nil {
		return nil, fmt.Errorf("sign evidence: %w", err)
	}
	file, err := encodeFile(payload, key)
	if err == nil && len(file) > maxFileBytes {
		err = fmt.Errorf("%d bytes, at most %d are read; name fewer objects", len(file), maxFileBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("sign evidence: %w", err)
	}
	return file, nil
}

func encodeFile(payload []byte, key ed25519.PrivateKey) ([]byte, error) {
	id, err := KeyID(key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	sig := ed25519.Sign(key, preAuthentication(payload))
	file, err := encode(envelope{
		Payload: base64.StdEncoding.EncodeToString(payload), PayloadType: payloadType,
		Signatures: []signature{{id, base64.StdEncoding.EncodeToString(sig)}},
	})
	return append(file, '\n'), err
}

// preAuthentication is what DSSE signs: the type and the payload with their lengths.
func preAuthentication(payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// Verify reads a file that was signed with one of the keys. An error means that the file
// proves nothing.
func Verify(file []byte, keys []ed25519.PublicKey) (Evidence, error) {
	payload, signed, err := open(file)
	if err != nil {
		return Evidence{}, err
	}
	if err := signed.verify(payload, keys); err != nil {
		return Evidence{}, err
	}
	return read(file, payload, signed)
}

// Read reads a file without asking who signed it. What it says may be anybody's invention.
func Read(file []byte) (Evidence, error) {
	payload, signed, err := open(file)
	if err != nil {
		return Evidence{}, err
	}
	return read(file, payload, signed)
}

// open decodes the envelope, which has one form only.
func open(file []byte) (payload []byte, signed signature, err error) {
	if len(file) > maxFileBytes {
		return nil, signature{}, fmt.Errorf("larger than %d MiB", maxFileBytes>>20)
	}
	var e envelope
	if err := decode(bytes.TrimSuffix(file, []byte("\n")), &e); err != nil {
		return nil, signature{}, fmt.Errorf("envelope: %w", err)
	}
	if !bytes.HasSuffix(file, []byte("\n")) {
		return nil, signature{}, errors.New("envelope: cut off")
	}
	if e.PayloadType != payloadType || len(e.Signatures) != 1 {
		return nil, signature{}, fmt.Errorf("envelope: not one signature of the payload type %s", payloadType)
	}
	payload, err = decodeBase64(e.Payload)
	if err != nil {
		return nil, signature{}, fmt.Errorf("envelope: payload: %w", err)
	}
	return payload, e.Signatures[0], nil
}

func (s signature) verify(payload []byte, keys []ed25519.PublicKey) error {
	sig, err := decodeBase64(s.Sig)
	if err != nil {
		return fmt.Errorf("envelope: signature: %w", err)
	}
	for _, key := range keys {
		id, err := KeyID(key)
		if err != nil {
			return err
		}
		if id != s.KeyID {
			continue
		}
		if !ed25519.Verify(key, preAuthentication(payload), sig) {
			return errors.New("the signature does not fit: the file was altered after it was signed")
		}
		return nil
	}
	return fmt.Errorf("signed with key %q, which is none of those given", string(s.KeyID))
}

func read(file, payload []byte, signed signature) (Evidence, error) {
	e := Evidence{Digest: DigestOf(file), Signer: signed.KeyID}
	if err := decode(payload, &e.Statement); err != nil {
		return Evidence{}, fmt.Errorf("payload: %w", err)
	}
	if err := e.Statement.Check(); err != nil {
		return Evidence{}, fmt.Errorf("payload: %w", err)
	}
	return e, nil
}

// encode is the one form of a document: without white space, without what is empty, with the
// escapes that JSON needs and no others.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// decode reads a document and refuses any that is not in the one form.
func decode(doc []byte, into any) error {
	if err := json.Unmarshal(doc, into); err != nil {
		return err
	}
	again, err := encode(into)
	if err != nil {
		return err
	}
	if !bytes.Equal(doc, again) {
		return fmt.Errorf("not in the form in which it is written, from byte %d on: unknown, repeated or empty fields, other order or white space", firstDifference(doc, again))
	}
	return nil
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// decodeBase64 also refuses bits behind the end and line breaks, which Go's decoder skips.
func decodeBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("base64 with line breaks")
	}
	return base64.StdEncoding.Strict().DecodeString(text)
}
