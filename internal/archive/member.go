package archive

import (
	"crypto/sha256"
	"encoding/hex"
)

// Limits of the writer. Smaller members make single reads cheaper, larger ones
// compress better.
type Limits struct {
	MemberObjects int   // objects in a member, at most
	MemberBytes   int64 // uncompressed bytes in a member, unless one object alone is larger
	ChunkBytes    int64 // compressed bytes after which a chunk is handed out
}

// DefaultLimits: 128 objects or 512 KiB a member, so that one of 50,000 objects
// is read with well under 1% of the tarball; 8 MiB a chunk, above the 5 MiB that
// a server-side part copy needs.
func DefaultLimits() Limits {
	return Limits{MemberObjects: 128, MemberBytes: 512 << 10, ChunkBytes: 8 << 20}
}

// Bounds that reader and writer share; no claim in stored bytes can make the
// reader allocate more.
const (
	// MaxObjectBytes bounds one object's JSON. The API server accepts requests
	// of 3 MiB; etcd 1.5 MiB by default.
	MaxObjectBytes = 16 << 20
	// MaxMemberBytes bounds a member, raw and compressed: two copies of the
	// largest object, their headers and a full member before.
	MaxMemberBytes = 40 << 20

	maxBlockBytes     = 8 << 20 // an index block, compressed or not
	maxMemberObjects  = 8192
	maxManifestBytes  = 64 << 20
	maxDirectoryBytes = 32 << 20 // compressed
	maxDirectoryRaw   = 64 << 20 // some 150,000 members, or 15 million objects
)

// Member is one gzip member of the tarball.
type Member struct {
	Offset  int64  `json:"offset"`  // in its chunk, or in the tarball once assembled
	Size    int64  `json:"size"`    // compressed
	RawSize int64  `json:"rawSize"` // uncompressed: a multiple of 512
	SHA256  string `json:"sha256"`  // of the compressed bytes, hex
	Objects int    `json:"objects"`
	Index   Range  `json:"index"` // the member's index block; Size 0 when Objects is 0
	Spans   []Span `json:"spans,omitempty"`
}

// Span bounds the objects of one resource in a member.
type Span struct {
	Resource string `json:"resource"`
	First    string `json:"first"` // smallest Key.Object, byte order
	Last     string `json:"last"`  // greatest
}

// Range is a digested part of a file.
type Range struct {
	Offset int64  `json:"offset"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"` // of the stored bytes, hex
}

// Entry is one object in a member's index block.
type Entry struct {
	Key
	Offset int64  // of the body, in the uncompressed member
	Size   int64  // of the body
	SHA256 string // of the body, hex
	// Content is the digest of what somebody wrote of the object (package content), hex; "" in
	// format 1.0. It is a hint: the body does not prove it.
	Content string
}

// Digest is how every digest of the format is written: SHA-256, lower-case hex.
func Digest(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// sameDigest is Digest(b) == want without allocating.
func sameDigest(b []byte, want string) bool {
	sum := sha256.Sum256(b)
	var have [2 * sha256.Size]byte
	hex.Encode(have[:], sum[:])
	return string(have[:]) == want
}

func validDigest(s string) bool { return isHex(s, 2*sha256.Size) }

// isHex says that s is n lower-case hexadecimal digits. It has no branches: digits and letters
// come at random, and a year of directories has a million digests.
func isHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	valid := uint32(1)
	for i := range len(s) {
		digit, letter := uint32(s[i]-'0'), uint32(s[i]-'a') // what lies below wraps around
		valid &= ((digit - 10) | (letter - 6)) >> 31
	}
	return valid == 1
}
