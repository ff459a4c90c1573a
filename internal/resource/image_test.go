package resource

import (
	"reflect"
	"strings"
	"testing"
)

func TestImageMappings(t *testing.T) {
	got, err := ImageMappings(map[string]string{"b": "web:1,web:2", "a": " old.example.com:5000 , new.example.com ", "c": "x,y,z"})
	want := []ImageMapping{{"old.example.com:5000", "new.example.com"}, {"web:1", "web:2"}, {"x", "y,z"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v %v", got, err)
	}
	if got, err := ImageMappings(nil); err != nil || got != nil {
		t.Errorf("%v %v", got, err)
	}
	for _, bad := range []string{"", "old", "old,", ",new", " , ", "old: new"} {
		if _, err := ImageMappings(map[string]string{"case1": bad}); err == nil || !strings.Contains(err.Error(), "data[case1]") || !strings.Contains(err.Error(), "a comma") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
