package csi

import (
	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
)

// Answer is what a driver says of a snapshot.
type Answer struct {
	Known bool
	Text  string // what is wrong, as the driver said it
}

// AnswerOn reads what the snapshotter has noted on a content.
func AnswerOn(c snapshotv1.VolumeSnapshotContent) Answer {
	switch st := c.Status; {
	case st == nil:
		return Answer{}
	case st.Error != nil && st.Error.Message != nil:
		return Answer{Text: *st.Error.Message}
	default:
		return Answer{Known: st.Error == nil}
	}
}
