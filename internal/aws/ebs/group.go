package ebs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
)

// existingGroup finds the run's snapshots of all volumes, or nil. Parts of a
// group are deleted: they are of another moment than what is made next. Parts that
// are young may have company that does not show yet.
func (l *Location) existingGroup(ctx context.Context, uid string, rs []Request) (all []Snapshot, err error) {
	err = wait.PollUntilContextCancel(ctx, firstLook, true, func(ctx context.Context) (bool, error) {
		all, err = l.groupOf(ctx, uid, rs)
		return !slices.ContainsFunc(all, isMissing) || !slices.ContainsFunc(all, isYoung), err
	})
	switch {
	case err != nil:
		return nil, classify(quota.CreateSnapshots, "", err)
	case slices.ContainsFunc(all, isMissing):
		return nil, l.deleteParts(ctx, uid, all)
	}
	return all, nil
}

func isMissing(s Snapshot) bool { return s.ID == "" }

func isYoung(s Snapshot) bool { return s.ID != "" && time.Since(s.Started) < quota.LookAgainFor }

func (l *Location) deleteParts(ctx context.Context, uid string, parts []Snapshot) error {
	for _, s := range parts {
		if s.ID == "" {
			continue
		}
		if _, err := l.DeleteSnapshot(ctx, s.ID, map[string]string{TagBackupUID: uid}); err != nil {
			return err
		}
	}
	return nil
}

// groupOf finds for each request its snapshot; those missing are empty.
func (l *Location) groupOf(ctx context.Context, uid string, rs []Request) ([]Snapshot, error) {
	all := make([]Snapshot, len(rs))
	for i, r := range rs {
		var err error
		if all[i], err = l.existingSnapshot(ctx, uid, r); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// CompleteTags gives snapshots, in the order of their requests, the tags that they lack of those. It
// may repeat.
func (l *Location) CompleteTags(ctx context.Context, all []Snapshot, rs []Request) error {
	_, err := l.tagAll(ctx, all, rs)
	return err
}

func (l *Location) tagAll(ctx context.Context, all []Snapshot, rs []Request) ([]Snapshot, error) {
	for i, r := range rs {
		var err error
		if all[i], err = l.completeTags(ctx, all[i], r); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// completeTags gives a snapshot the tags of its request that it lacks. It may be so young that EC2
// shows it to some calls only. Repeating it changes nothing.
func (l *Location) completeTags(ctx context.Context, s Snapshot, r Request) (Snapshot, error) {
	if lacking(s.Tags, r.Tags) == "" {
		return s, nil
	}
	err := l.AddTags(ctx, []string{s.ID}, r.Tags)
	s.Tags = r.Tags
	return s, err
}

// tagsAtOnce is how many resources one CreateTags takes.
const tagsAtOnce = 1000

// AddTags gives snapshots further tags, in place of those of the same keys. What EC2 does not show
// yet is waited for, not for ever. It may repeat.
func (l *Location) AddTags(ctx context.Context, ids []string, tags map[string]string) error {
	for some := range slices.Chunk(ids, tagsAtOnce) {
		var answer error
		err := lookAgain(ctx, func(ctx context.Context) (bool, error) {
			_, err := l.ec2.CreateTags(ctx, &ec2.CreateTagsInput{Resources: some, Tags: toTags(tags)})
			answer = classify("CreateTags", some[0], err)
			return !errors.Is(answer, ErrNotFound), nil
		})
		if err := cmp.Or(answer, err); err != nil {
			return err
		}
	}
	return nil
}

// awaitVisible waits, not for ever, until EC2 shows what it has just made: before,
// it does not find it when it is to be tagged.
func (l *Location) awaitVisible(ctx context.Context, made []Snapshot) error {
	ids := make([]string, len(made))
	for i, s := range made {
		ids[i] = s.ID
	}
	return lookAgain(ctx, func(ctx context.Context) (bool, error) {
		seen, err := l.OwnSnapshots(ctx, ids)
		return len(seen) == len(ids), err
	})
}
