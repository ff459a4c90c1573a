package ebssim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/iam/evaluation"
)

// grant is one permission that a call needs: an action on resources.
type grant struct {
	action string
	on     []target
	// tags are those that the request sets, or whose keys it names.
	tags map[string]string
	// creates is the action that creates what is tagged, for CreateTags only.
	creates string
}

// target is a resource that a grant is about. A new one has the id "*".
type target struct {
	kind, id string
	tags     map[string]string
	keys     map[string]string
}

func (s *Sim) volumeTarget(v *volume) target {
	return target{kind: "volume", id: v.ID, tags: v.Tags, keys: map[string]string{
		"ec2:AvailabilityZone": v.Zone, "ec2:Encrypted": fmt.Sprint(v.Encrypted), "ec2:VolumeType": v.Type,
		"ec2:VolumeSize": fmt.Sprint(v.SizeGiB), "ec2:VolumeIops": fmt.Sprint(v.IOPS),
		"ec2:VolumeThroughput": fmt.Sprint(v.Throughput), "ec2:VolumeID": v.ID,
	}}
}

func (s *Sim) snapshotTarget(snap *snapshot) target {
	return target{kind: "snapshot", id: snap.ID, tags: snap.tagsShown(), keys: map[string]string{
		"ec2:Owner": cmp.Or(snap.Owner, s.options.AccountID), "ec2:ParentVolume": s.arn("volume", snap.VolumeID),
		"ec2:VolumeSize": fmt.Sprint(snap.SizeGiB), "ec2:SnapshotID": snap.ID,
	}}
}

func instanceTarget(i Instance) target {
	return target{kind: "instance", id: i.ID, tags: i.Tags, keys: map[string]string{"ec2:AvailabilityZone": i.Zone}}
}

// created is the two permissions to make a resource with tags: the action itself
// and, if there are tags, CreateTags with ec2:CreateAction.
func created(c *call, tags map[string]string, made target, others ...target) []grant {
	grants := []grant{{action: c.action, on: append(others, made), tags: tags}}
	if len(tags) > 0 {
		grants = append(grants, grant{action: "CreateTags", on: []target{made}, tags: tags, creates: c.action})
	}
	return grants
}

// permit fails with UnauthorizedOperation unless each grant's action is allowed on
// each of its resources, and with DryRunOperation if the call only asks for that.
func (s *Sim) permit(c *call, grants ...grant) error {
	for _, g := range grants {
		targets := g.on
		if len(targets) == 0 {
			targets = []target{{}}
		}
		for _, t := range targets {
			if err := s.permitOne(c, g, t); err != nil {
				return err
			}
		}
	}
	dry, err := c.params.Bool("DryRun")
	if err == nil && dry != nil && *dry {
		return errDryRun()
	}
	return err
}

func (s *Sim) permitOne(c *call, g grant, t target) error {
	if c.who.admin {
		return nil
	}
	r := s.request(c, g, t)
	reason := ""
	switch evaluation.Evaluate(c.who.policies, r) {
	case evaluation.Allowed:
		return nil
	case evaluation.Denied:
		reason = "with an explicit deny in an identity-based policy"
	default:
		reason = "because no identity-based policy allows the " + r.Action + " action"
	}
	c.denied = fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s", c.who.arn, r.Action, r.Resource, reason)
	return errDenied(c.denied)
}

func (s *Sim) request(c *call, g grant, t target) evaluation.Request {
	r := evaluation.Request{Action: "ec2:" + g.action, Resource: "*"}
	if strings.Contains(g.action, ":") { // another service's
		r.Action = g.action
	}
	if t.kind != "" {
		r.Resource = s.arn(t.kind, t.id)
	}
	r.Set("aws:PrincipalArn", c.who.arn)
	for key, value := range c.who.transitive {
		r.Set("aws:PrincipalTag/"+key, value)
	}
	r.Set("aws:RequestedRegion", s.options.Region)
	r.Set("ec2:Region", s.options.Region)
	for key, value := range t.keys {
		r.Set(key, value)
	}
	for key, value := range t.tags {
		r.Set("aws:ResourceTag/"+key, value)
		r.Set("ec2:ResourceTag/"+key, value)
	}
	for key, value := range g.tags {
		r.Set("aws:RequestTag/"+key, value)
	}
	if len(g.tags) > 0 {
		r.Set("aws:TagKeys", slices.Sorted(maps.Keys(g.tags))...)
	}
	if g.creates != "" {
		r.Set("ec2:CreateAction", g.creates)
	}
	return r
}
