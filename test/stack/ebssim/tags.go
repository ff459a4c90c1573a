package ebssim

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

// Limits of tags, as EC2 publishes them.
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

// newTags are the tags that a creation asks for. Only the resource type that it
// creates may be tagged.
func newTags(p wire.Params, resourceType string) (map[string]string, error) {
	tags := map[string]string{}
	for _, spec := range p.Groups("TagSpecification") {
		if kind := spec.Get("ResourceType"); kind != resourceType {
			return nil, errValue("'%s' is not a valid taggable resource type for this operation.", kind)
		}
		for _, tag := range spec.Tags() {
			if _, twice := tags[tag.Key]; twice {
				return nil, errValue("Duplicate tag key '%s' specified.", tag.Key)
			}
			tags[tag.Key] = tag.Value
		}
	}
	return tags, checkTags(tags)
}

func checkTags(tags map[string]string) error {
	for key, value := range tags {
		switch {
		case key == "":
			return errMissing("Tag.Key")
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return errValue("Tag keys starting with 'aws:' are reserved for internal use")
		case utf8.RuneCountInString(key) > maxTagKey:
			return errValue("Tag key exceeds the maximum length of %d characters", maxTagKey)
		case utf8.RuneCountInString(value) > maxTagValue:
			return errValue("Tag value exceeds the maximum length of %d characters", maxTagValue)
		}
	}
	return countTags(tags)
}

func countTags(tags map[string]string) error {
	own := 0
	for key := range tags {
		if !strings.HasPrefix(key, "aws:") {
			own++
		}
	}
	if own > maxTags {
		return wire.Invalid("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
	}
	return nil
}

func tagSet(tags map[string]string) []wire.Tag {
	var set []wire.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		set = append(set, wire.Tag{Key: key, Value: tags[key]})
	}
	return set
}

// tagged is something that CreateTags can find: its tags and how to store them.
type tagged struct {
	kind   string
	target target
	tags   map[string]string
	store  func(map[string]string) error
}

// find is the resource of an id, by its prefix, if it is visible.
func (s *Sim) find(c *call, id string) (tagged, error) {
	switch prefix, _, _ := strings.Cut(id, "-"); prefix {
	case "vol":
		v, err := s.volume(c, id)
		if err != nil {
			return tagged{}, err
		}
		return tagged{"volume", s.volumeTarget(v), v.Tags, func(t map[string]string) error {
			v.Tags = t
			return s.journal.Put(kindVolume, id, v)
		}}, nil
	case "snap":
		snap, err := s.snapshot(c, id)
		if err != nil {
			return tagged{}, err
		}
		return tagged{"snapshot", s.snapshotTarget(snap), snap.Tags, func(t map[string]string) error {
			snap.Tags = t
			return s.journal.Put(kindSnapshot, id, snap)
		}}, nil
	case "i":
		return s.findInstance(id)
	}
	return tagged{}, wire.Invalid("InvalidID", "The ID '%s' is not valid", id)
}

func (s *Sim) findInstance(id string) (tagged, error) {
	instance, ok := s.instances[id]
	if !ok {
		return tagged{}, errInstanceNotFound(id)
	}
	return tagged{"instance", instanceTarget(instance), instance.Tags, func(t map[string]string) error {
		instance.Tags = t
		s.instances[id] = instance
		return s.journal.Put(kindInstance, id, instance)
	}}, nil
}

// findAll is all of the resources that a request names, or an error and none.
func (s *Sim) findAll(c *call) ([]tagged, error) {
	ids := c.params.List("ResourceId")
	if len(ids) == 0 {
		return nil, errMissing("resourceIdSet")
	}
	var found []tagged
	for _, id := range ids {
		one, err := s.find(c, id)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}

type returned struct {
	Return bool `xml:"return"`
}

func (s *Sim) createTags(c *call) (any, error) {
	found, err := s.findAll(c)
	if err != nil {
		return nil, err
	}
	tags := map[string]string{}
	for _, tag := range c.params.Tags() {
		tags[tag.Key] = tag.Value
	}
	if len(tags) == 0 {
		return nil, errMissing("tagSet")
	}
	if err := checkTags(tags); err != nil {
		return nil, err
	}
	if err := s.permit(c, grant{action: c.action, on: targets(found), tags: tags}); err != nil {
		return nil, err
	}
	return s.retag(found, func(old map[string]string) { maps.Copy(old, tags) })
}

// deleteTags removes a tag by key, and by value if the request has one.
func (s *Sim) deleteTags(c *call) (any, error) {
	found, err := s.findAll(c)
	if err != nil {
		return nil, err
	}
	asked := c.params.Groups("Tag")
	keys := map[string]string{}
	for _, tag := range asked {
		keys[tag.Get("Key")] = tag.Get("Value")
	}
	if err := s.permit(c, grant{action: c.action, on: targets(found), tags: keys}); err != nil {
		return nil, err
	}
	return s.retag(found, func(old map[string]string) {
		maps.DeleteFunc(old, func(key, value string) bool { return drops(asked, key, value) })
	})
}

// drops says if a request without tags, or with one of this key and value, deletes it.
func drops(asked []wire.Params, key, value string) bool {
	if strings.HasPrefix(key, "aws:") {
		return false
	}
	return len(asked) == 0 || slices.ContainsFunc(asked, func(tag wire.Params) bool {
		_, only := tag["Value"]
		return tag.Get("Key") == key && (!only || tag.Get("Value") == value)
	})
}

func targets(found []tagged) []target {
	var out []target
	for _, one := range found {
		out = append(out, one.target)
	}
	return out
}

// retag changes all or, if one would get too many tags, none.
func (s *Sim) retag(found []tagged, change func(map[string]string)) (any, error) {
	next := make([]map[string]string, len(found))
	for i, one := range found {
		next[i] = map[string]string{}
		maps.Copy(next[i], one.tags)
		change(next[i])
		if err := countTags(next[i]); err != nil {
			return nil, err
		}
	}
	for i, one := range found {
		if err := one.store(next[i]); err != nil {
			return nil, err
		}
	}
	return returned{Return: true}, nil
}
