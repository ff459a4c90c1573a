package ebs

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// existingGroup finds the run's snapshots of all volumes, or nil. Parts of a
// group are deleted: they are of another moment than what is made next. Parts that
// are young may have company that does not show yet.
func (l *Location) existingGroup(ctx context.Context, uid string, rs []Request) ([]Snapshot, error) {
	for {
		all, err := l.groupOf(ctx, uid, rs)
		if err != nil || !slices.ContainsFunc(all, missing) {
			return all, err
		}
		if slices.ContainsFunc(all, young) {
			if err := sleep(ctx, visibleAfter/16); err != nil {
				return nil, classify(actionAll, "", err)
			}
			continue
		}
		return nil, l.deleteParts(ctx, uid, all)
	}
}

func missing(s Snapshot) bool { return s.ID == "" }

func young(s Snapshot) bool { return s.ID != "" && time.Since(s.Started) < visibleAfter }

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
		if all[i], err = l.existing(ctx, uid, r); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (l *Location) tagAll(ctx context.Context, all []Snapshot, rs []Request) ([]Snapshot, error) {
	for i, r := range rs {
		var err error
		if all[i], err = l.tagged(ctx, all[i], r); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// tagged gives a snapshot the tags of its request that it lacks. Repeating it
// changes nothing.
func (l *Location) tagged(ctx context.Context, s Snapshot, r Request) (Snapshot, error) {
	if lacking(s.Tags, r.Tags) == "" {
		return s, nil
	}
	in := &ec2.CreateTagsInput{Resources: []string{s.ID}, Tags: toTags(r.Tags)}
	_, err := call(ctx, l, "CreateTags", s.ID, func(ctx context.Context) (*ec2.CreateTagsOutput, error) {
		return l.ec2.CreateTags(ctx, in)
	})
	s.Tags = r.Tags
	return s, err
}

// awaitVisible waits, not for ever, until EC2 shows what it has just made: before,
// it does not find it when it is to be tagged.
func (l *Location) awaitVisible(ctx context.Context, made []Snapshot) error {
	ids := make([]string, len(made))
	for i, s := range made {
		ids[i] = s.ID
	}
	for pause := visibleAfter / 16; ; pause *= 2 {
		seen, err := l.own(ctx, ids)
		if err != nil || len(seen) == len(ids) || pause > visibleAfter {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return classify("DescribeSnapshots", "", err)
		}
	}
}
