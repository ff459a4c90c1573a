package ebssim

type tagXML struct {
	ID    string `xml:"resourceId"`
	Kind  string `xml:"resourceType"`
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

func (s *Sim) describeTags(c *call) (any, error) {
	if err := s.permit(c, grant{action: c.action}); err != nil {
		return nil, err
	}
	wanted, err := filters(c.params, "key", "resource-id", "resource-type", "value")
	if err != nil {
		return nil, err
	}
	all := map[string]tagXML{}
	add := func(kind, id string, tags map[string]string) {
		for key, value := range tags {
			f := fields{"key": {key}, "resource-id": {id}, "resource-type": {kind}, "value": {value}}
			if matches(wanted, func() fields { return f }, map[string]string{key: value}) {
				all[id+" "+key] = tagXML{ID: id, Kind: kind, Key: key, Value: value}
			}
		}
	}
	for id, v := range s.volumes {
		if c.showsVolume(v) {
			add("volume", id, c.knownTags(v.Created, v.Visible, v.Tags))
		}
	}
	for id, snap := range s.snapshots {
		if c.showsSnapshot(snap) {
			add("snapshot", id, c.knownTags(snap.Started, snap.Visible, snap.tagsShown()))
		}
	}
	for id, instance := range s.instances {
		add("instance", id, instance.Tags)
	}
	return tagPage(c, all)
}

func tagPage(c *call, all map[string]tagXML) (any, error) {
	var names []string
	for name := range all {
		names = append(names, name)
	}
	on, token, err := page(c.params, names, 5, 1000)
	var out struct {
		Tags  []tagXML `xml:"tagSet>item"`
		Token string   `xml:"nextToken,omitempty"`
	}
	out.Token = token
	for _, name := range on {
		out.Tags = append(out.Tags, all[name])
	}
	return out, err
}
