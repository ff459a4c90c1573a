package ebssim

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/journal"
)

// Sim is the simulator. It is an http.Handler for EC2, STS and the admin API.
// One lock guards all of it, data included: a snapshot is taken while nothing
// else happens.
type Sim struct {
	options Options
	clock   Clock

	mu         sync.Mutex
	journal    *journal.Journal
	volumes    map[string]*volume
	snapshots  map[string]*snapshot
	instances  map[string]Instance
	identities map[string]*identity     // by access key id
	roles      map[string]*role         // by ARN
	issuers    map[string]trustedIssuer // by URL
	pods       map[string]Association   // by namespace and name of the service account
	clientKeys map[string]clientToken
	limits     Limits
	buckets    map[string]tokens
	recycleBin []RetentionRule
	keys       map[string]bool // ARNs of those that may be used
	faults     []*Fault
	nextFault  int
	audit      []Call
	calls      int
}

// New opens or makes the simulator of a directory.
func New(o Options) (*Sim, error) {
	o = o.WithDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Sim{
		options: o, clock: o.Clock, limits: o.Limits.clone(), recycleBin: o.RecycleBin,
		volumes: map[string]*volume{}, snapshots: map[string]*snapshot{}, instances: map[string]Instance{},
		identities: map[string]*identity{}, roles: map[string]*role{}, clientKeys: map[string]clientToken{},
		buckets: map[string]tokens{}, issuers: map[string]trustedIssuer{}, pods: map[string]Association{},
	}
	s.SetKeys(o.Keys)
	if err := s.loadIdentities(); err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open simulator in %s: %w", o.Dir, err)
	}
	return s, nil
}

// Close ends the simulator. What is in its directory stays.
func (s *Sim) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.Close()
}

func (s *Sim) open() error {
	for _, kind := range []string{"volumes", "snapshots"} {
		if err := os.MkdirAll(filepath.Join(s.options.Dir, kind), 0o755); err != nil {
			return err
		}
	}
	records, err := s.openJournal()
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := s.load(r); err != nil {
			return errors.Join(fmt.Errorf("%s %s: %w", r.Kind, r.ID, err), s.journal.Close())
		}
	}
	if len(records) == 0 {
		err = s.addOthers(s.clock.Now())
	}
	if err := errors.Join(err, s.dropUnknownData()); err != nil {
		return errors.Join(err, s.journal.Close())
	}
	for _, instance := range s.options.Instances {
		if err := s.addInstance(instance, s.clock.Now()); err != nil {
			return errors.Join(err, s.journal.Close())
		}
	}
	return thawAll(filepath.Join(s.options.Dir, "volumes"))
}

func (s *Sim) openJournal() (records []journal.Record, err error) {
	s.journal, records, err = journal.Open(filepath.Join(s.options.Dir, "state.jsonl"))
	return records, err
}

// The kinds of records in the journal.
const (
	kindVolume     = "volume"
	kindSnapshot   = "snapshot"
	kindInstance   = "instance"
	kindCredential = "credential"
	kindToken      = "token"
)

func (s *Sim) load(r journal.Record) error {
	switch r.Kind {
	case kindVolume:
		return loadInto(s.volumes, r)
	case kindSnapshot:
		return loadInto(s.snapshots, r)
	case kindInstance:
		return loadInto(s.instances, r)
	case kindToken:
		return loadInto(s.clientKeys, r)
	case kindCredential:
		return s.loadCredential(r)
	}
	return errors.New("unknown kind of record")
}

func loadInto[T any](into map[string]T, r journal.Record) error {
	var value T
	if err := json.Unmarshal(r.Value, &value); err != nil {
		return err
	}
	into[r.ID] = value
	return nil
}

// dropUnknownData removes directories of what was never answered: a crash came
// between the copy and the record.
func (s *Sim) dropUnknownData() error {
	for _, kind := range []string{"volumes", "snapshots"} {
		entries, err := os.ReadDir(filepath.Join(s.options.Dir, kind))
		if err != nil {
			return err
		}
		for _, entry := range entries {
			_, isVolume := s.volumes[entry.Name()]
			_, isSnapshot := s.snapshots[entry.Name()]
			if isVolume || isSnapshot {
				continue
			}
			if err := os.RemoveAll(filepath.Join(s.options.Dir, kind, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// VolumeDir is where a volume's data is. It fails if there is no such volume.
func (s *Sim) VolumeDir(id string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.volumes[id]; !ok || v.isGone(s.clock.Now()) {
		return "", fmt.Errorf("volume %s: does not exist", id)
	}
	return s.volumeDir(id), nil
}

func (s *Sim) volumeDir(id string) string { return filepath.Join(s.options.Dir, "volumes", id) }

func (s *Sim) snapshotDir(id string) string { return filepath.Join(s.options.Dir, "snapshots", id) }

// SetLimits changes limits and timings. What is under way keeps its end.
func (s *Sim) SetLimits(change func(*Limits)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.limits.clone()
	change(&next)
	s.limits = next.clone()
	s.buckets = map[string]tokens{}
}

// Limits are those of now.
func (s *Sim) Limits() Limits {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limits.clone()
}

// newID is a prefix and 17 random hexadecimal digits, as EC2's ids are.
func newID(prefix string) string {
	raw := make([]byte, 9)
	rand.Read(raw)
	return prefix + "-" + hex.EncodeToString(raw)[:17]
}

// arn names a resource of the account. A snapshot's names none, as in EC2.
func (s *Sim) arn(kind, id string) string {
	account := s.options.AccountID
	if kind == "snapshot" {
		account = ""
	}
	return fmt.Sprintf("arn:aws:ec2:%s:%s:%s/%s", s.options.Region, account, kind, id)
}

// sweep forgets what time has ended: detached attachments, snapshots that left
// the Recycle Bin, and deleted ones that no longer count against limits.
func (s *Sim) sweep(now time.Time) error {
	for _, v := range s.volumes {
		if v.sweep(now) {
			if err := s.journal.Put(kindVolume, v.ID, v); err != nil {
				return err
			}
		}
	}
	for id, v := range s.volumes {
		if v.isGone(now) && !now.Before(v.Lingers) {
			if err := s.removeVolume(id); err != nil {
				return err
			}
		}
	}
	for id, snap := range s.snapshots {
		if snap.gone(now) {
			if err := s.forgetSnapshot(id); err != nil {
				return err
			}
		}
	}
	return nil
}
