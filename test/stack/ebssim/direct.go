package ebssim

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

// blockSize is that of the blocks of the EBS direct APIs.
const blockSize = 512 << 10

// Pages of the EBS direct APIs. Answers may have fewer than were asked for, and have.
const (
	leastBlocks = 100
	mostBlocks  = 10_000
	pageBlocks  = 250
)

// directAction is the action of the EBS direct APIs that a request asks for, and whether it
// asks for one: they are REST, and EC2's are not.
func directAction(r *http.Request) (action, snapshot string, ok bool) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if r.Method != http.MethodGet || len(parts) < 3 || parts[0] != "snapshots" {
		return "", "", false
	}
	if len(parts) == 4 && parts[2] == "blocks" {
		return "GetSnapshotBlock", parts[1], true
	}
	if len(parts) != 3 {
		return "", "", false
	}
	switch parts[2] {
	case "blocks":
		return "ListSnapshotBlocks", parts[1], true
	case "changedblocks":
		return "ListChangedBlocks", parts[1], true
	}
	return "", "", false
}

func directActions() map[string]action {
	return map[string]action{"ListSnapshotBlocks": (*Sim).listSnapshotBlocks, "ListChangedBlocks": (*Sim).listChangedBlocks, "GetSnapshotBlock": (*Sim).getSnapshotBlock}
}

type blockJSON struct {
	BlockIndex int
	BlockToken string `json:",omitempty"`
	// What a list of changes has in place of BlockToken. A block without the second is gone.
	FirstBlockToken  string `json:",omitempty"`
	SecondBlockToken string `json:",omitempty"`
}

type blocksJSON struct {
	Blocks        []blockJSON `json:",omitempty"`
	ChangedBlocks []blockJSON `json:",omitempty"`
	BlockSize     int
	ExpiryTime    float64
	NextToken     string `json:",omitempty"`
	VolumeSize    int
}

// listSnapshotBlocks lists the blocks that a snapshot has.
func (s *Sim) listSnapshotBlocks(c *call) (any, error) {
	snap, err := s.directSnapshot(c, c.snapshot)
	if err != nil {
		return nil, err
	}
	has, err := blocksOf(s.snapshotDir(snap.ID))
	if err != nil {
		return nil, err
	}
	start, _ := strconv.Atoi(c.params.Get("startingBlockIndex")) // 0 where there is none
	var all []blockJSON
	for i, key := range slices.Sorted(maps.Keys(has)) {
		if i < start {
			continue
		}
		all = append(all, blockJSON{BlockIndex: i, BlockToken: has[key]})
	}
	out := newBlocksJSON(c, snap)
	out.Blocks, out.NextToken, err = pageOfBlocks(c.params, all)
	return out, err
}

// block is the answer to GetSnapshotBlock: what is in it, which is shorter than a block at the end
// of a file and is filled up.
type block struct{ data []byte }

// getSnapshotBlock reads a block by the token that a list gave, which is a digest of it.
func (s *Sim) getSnapshotBlock(c *call) (any, error) {
	snap, err := s.directSnapshot(c, c.snapshot)
	if err != nil {
		return nil, err
	}
	if err := s.permitDecryption(c, snap.KMSKeyID); err != nil {
		return nil, err
	}
	dir := s.snapshotDir(snap.ID)
	has, err := blocksOf(dir)
	if err != nil {
		return nil, err
	}
	keys := slices.Sorted(maps.Keys(has))
	index, err := strconv.Atoi(c.params.Get("blockIndex"))
	if err != nil || index < 0 || index >= len(keys) || has[keys[index]] != c.params.Get("blockToken") {
		return nil, wire.Invalid("ValidationException", "The block token is not valid for the block index")
	}
	name, number, _ := strings.Cut(keys[index], "#")
	at, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, blockSize)
	if _, err := f.ReadAt(data, at*blockSize); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return block{data}, nil
}

// writeBlock answers with the bytes of a block, their length and their digest.
func writeBlock(w http.ResponseWriter, c *call, b block) {
	digest := sha256.Sum256(b.data)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Amzn-Requestid", c.id)
	w.Header().Set("X-Amz-Data-Length", strconv.Itoa(len(b.data)))
	w.Header().Set("X-Amz-Checksum", base64.StdEncoding.EncodeToString(digest[:]))
	w.Header().Set("X-Amz-Checksum-Algorithm", "SHA256")
	w.Write(b.data)
}

// listChangedBlocks lists the blocks in which two snapshots of a volume differ.
func (s *Sim) listChangedBlocks(c *call) (any, error) {
	second, err := s.directSnapshot(c, c.snapshot)
	if err != nil {
		return nil, err
	}
	first, err := s.directSnapshot(c, c.params.Get("firstSnapshotId"))
	if err != nil {
		return nil, err
	}
	if first.VolumeID != second.VolumeID {
		return nil, wire.Invalid("ValidationException", "The snapshots %s and %s are of different volumes", first.ID, second.ID)
	}
	before, err := blocksOf(s.snapshotDir(first.ID))
	if err != nil {
		return nil, err
	}
	has, err := blocksOf(s.snapshotDir(second.ID))
	if err != nil {
		return nil, err
	}
	out := newBlocksJSON(c, second)
	out.ChangedBlocks, out.NextToken, err = pageOfBlocks(c.params, changesOf(before, has))
	return out, err
}

func changesOf(before, after map[string]string) (all []blockJSON) {
	keys := maps.Clone(before)
	maps.Copy(keys, after)
	for i, key := range slices.Sorted(maps.Keys(keys)) {
		if before[key] != after[key] {
			all = append(all, blockJSON{BlockIndex: i, FirstBlockToken: before[key], SecondBlockToken: after[key]})
		}
	}
	return all
}

func newBlocksJSON(c *call, snap *snapshot) *blocksJSON {
	return &blocksJSON{BlockSize: blockSize, ExpiryTime: float64(c.now.Add(7 * 24 * time.Hour).Unix()), VolumeSize: snap.SizeGiB}
}

// directSnapshot finds a snapshot whose blocks may be read.
func (s *Sim) directSnapshot(c *call, id string) (*snapshot, error) {
	snap, err := s.snapshot(c, id)
	if err != nil {
		return nil, &wire.Error{Status: http.StatusNotFound, Code: "ResourceNotFoundException", Message: fmt.Sprintf("The snapshot '%s' does not exist.", id)}
	}
	if err := s.permit(c, grant{action: "ebs:" + c.action, on: []target{s.snapshotTarget(snap)}}); err != nil {
		return nil, &wire.Error{Status: http.StatusForbidden, Code: "AccessDeniedException", Message: wire.AsError(err).Message}
	}
	if snap.state(c.now) != stateCompleted || snap.Archived {
		return nil, wire.Invalid("ValidationException", "The snapshot '%s' is not complete, or is archived", id)
	}
	return snap, nil
}

// blocksOf gives the blocks of a directory, with a digest of what is in each. A file begins at
// a block of its own, so that a change of one moves no other.
func blocksOf(dir string) (map[string]string, error) {
	blocks := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return addFileBlocks(blocks, path, name)
	})
	return blocks, err
}

func addFileBlocks(blocks map[string]string, path, name string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	buf := make([]byte, blockSize)
	for i := 0; ; i++ {
		n, err := io.ReadFull(f, buf)
		if n > 0 {
			digest := sha256.Sum256(buf[:n])
			blocks[fmt.Sprintf("%s#%08d", name, i)] = base64.StdEncoding.EncodeToString(digest[:])
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// pageOfBlocks is a page of a list; its token is the number of the next block.
func pageOfBlocks(p wire.Params, all []blockJSON) ([]blockJSON, string, error) {
	at, size := 0, mostBlocks
	if n, err := strconv.Atoi(p.Get("maxResults")); err == nil {
		size = n
	}
	if size < leastBlocks || size > mostBlocks {
		return nil, "", wire.Invalid("ValidationException", "maxResults has to be between %d and %d", leastBlocks, mostBlocks)
	}
	size = min(size, pageBlocks)
	if token := p.Get("pageToken"); token != "" {
		n, err := strconv.Atoi(token)
		if err != nil || n < 0 || n > len(all) {
			return nil, "", wire.Invalid("ValidationException", "The page token is invalid")
		}
		at = n
	}
	if len(all)-at <= size {
		return all[at:], "", nil
	}
	return all[at : at+size], strconv.Itoa(at + size), nil
}

// writeDirect answers in JSON, as the EBS direct APIs do.
func writeDirect(w http.ResponseWriter, c *call, answer any, failure error) {
	if b, ok := answer.(block); ok && failure == nil {
		writeBlock(w, c, b)
		return
	}
	status := http.StatusOK
	if failure != nil {
		known := wire.AsError(failure)
		status, answer = known.Status, map[string]string{"Message": known.Message}
		w.Header().Set("X-Amzn-Errortype", known.Code)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Requestid", c.id)
	w.WriteHeader(status)
	w.Write(text)
}
