package jsonlist

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// collect splits doc and copies what the callback saw.
func collect(t testing.TB, r io.Reader, max int) (items []string, ids []string, head Head, err error) {
	t.Helper()
	p := Splitter{MaxItem: max}
	head, err = p.Split(r, func(it Item) error {
		items = append(items, string(it.Raw))
		ids = append(ids, string(it.Namespace)+"/"+string(it.Name))
		return nil
	})
	return items, ids, head, err
}

func TestSplitShapes(t *testing.T) {
	tests := []struct {
		name, doc string
		want      []string // ns/name of the items
		rv        string
		wantErr   string
	}{
		{"typed order", `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7","continue":"c"},"items":[{"metadata":{"name":"a","namespace":"n"}},{"metadata":{"name":"b"}}]}`, []string{"n/a", "/b"}, "7", ""},
		{"items first", `{"items":[{"metadata":{"name":"a"}}],"metadata":{"resourceVersion":"7"}}`, []string{"/a"}, "7", ""},
		{"spaces", " {\n \"items\" :\t[ { \"metadata\" : { \"name\" : \"a\" } } , { } ] , \"metadata\" : { } } \r\n", []string{"/a", "/"}, "", ""},
		{"null items", `{"items":null,"metadata":{"resourceVersion":"3"}}`, nil, "3", ""},
		{"no items", `{"metadata":{"resourceVersion":"3"}}`, nil, "3", ""},
		{"empty", `{}`, nil, "", ""},
		{"empty items", `{"items":[]}`, nil, "", ""},
		{"escaped keys", `{"it\u0065ms":[{"meta\u0064ata":{"n\u0061me":"\u0061\"b"}}]}`, []string{`/a"b`}, "", ""},
		{"braces in strings", `{"items":[{"a":"}]{[\\\"","metadata":{"name":"x"}}]}`, []string{"/x"}, "", ""},
		{"other top keys", `{"x":[1,2.5e-3,{"items":[{}]}],"items":[{"metadata":{"name":"a"}}],"y":null}`, []string{"/a"}, "", ""},
		{"null metadata", `{"items":[{"metadata":null,"spec":{}}]}`, []string{"/"}, "", ""},
		{"null name", `{"items":[{"metadata":{"name":null,"labels":null}}]}`, []string{"/"}, "", ""},
		{"not a list", `[1]`, nil, "", "not a JSON object"},
		{"items object", `{"items":{}}`, nil, "", "not an array"},
		{"items of numbers", `{"items":[1]}`, nil, "", "not a JSON object"},
		{"two items", `{"items":[],"items":[]}`, nil, "", "two items"},
		{"name a number", `{"items":[{"metadata":{"name":1}}]}`, nil, "", "metadata.name: not a string"},
		{"trailing comma", `{"items":[{},]}`, []string{"/"}, "", "not a JSON object"},
		{"missing comma", `{"items":[{} {}]}`, []string{"/"}, "", "expected ','"},
		{"cut off", `{"items":[{"metadata":{"name":"a"}},{"metadata":{"na`, []string{"/a"}, "", "unexpected EOF"},
		{"cut after items", `{"items":[{"metadata":{"name":"a"}}]`, []string{"/a"}, "", "unexpected EOF"},
		{"data after", `{"items":[]} x`, nil, "", "data after the list"},
		{"no body", ``, nil, "", "unexpected EOF"},
		{"leading zero", `{"items":[{"a":01}]}`, nil, "", "invalid JSON"},
		{"bad escape", `{"items":[{"a":"\x"}]}`, nil, "", "unknown escape"},
		{"control", "{\"items\":[{\"a\":\"\n\"}]}", nil, "", "control character"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(tt.doc), iotest.OneByteReader(strings.NewReader(tt.doc))} {
				_, ids, head, err := collect(t, r, 0)
				if tt.wantErr == "" && err != nil || tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)) {
					t.Fatalf("error %v, want %q", err, tt.wantErr)
				}
				if strings.Join(ids, " ") != strings.Join(tt.want, " ") {
					t.Errorf("items %q, want %q", ids, tt.want)
				}
				if head.Metadata.ResourceVersion != tt.rv {
					t.Errorf("resourceVersion %q, want %q", head.Metadata.ResourceVersion, tt.rv)
				}
			}
		})
	}
}

func TestSplitNotesIdentity(t *testing.T) {
	doc := `{"items":[{"apiVersion":"v1","kind":"Pod","spec":{"metadata":{"name":"no"}},"metadata":{"uid":"u","resourceVersion":"9",` +
		`"labels":{"a":"b"},"ownerReferences":[{"uid":"o"}],"deletionTimestamp":"2026-01-01T00:00:00Z","name":"p","namespace":"n"}}]}`
	var p Splitter
	calls := 0
	_, err := p.Split(strings.NewReader(doc), func(it Item) error {
		calls++
		got := []string{string(it.APIVersion), string(it.Kind), string(it.Namespace), string(it.Name), string(it.UID), string(it.ResourceVersion), string(it.Labels), string(it.OwnerReferences)}
		want := []string{"v1", "Pod", "n", "p", "u", "9", `{"a":"b"}`, `[{"uid":"o"}]`}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("field %d is %q, want %q", i, got[i], want[i])
			}
		}
		if !it.Deleting {
			t.Error("an object with a deletionTimestamp is not marked as deleting")
		}
		return nil
	})
	if err != nil || calls != 1 {
		t.Fatalf("err %v after %d items", err, calls)
	}
}

func TestSplitBoundsItems(t *testing.T) {
	big := strings.Repeat("x", 3*bufferSize)
	doc := `{"items":[{"metadata":{"name":"a"}},{"data":"` + big + `"},{"metadata":{"name":"b"}}]}`
	items, _, _, err := collect(t, strings.NewReader(doc), 4*bufferSize)
	if err != nil || len(items) != 3 || len(items[1]) != len(big)+len(`{"data":""}`) {
		t.Fatalf("a large item within the limit: %d items, %v", len(items), err)
	}
	for _, limit := range []int{100, bufferSize, 2 * bufferSize} {
		if _, _, _, err = collect(t, strings.NewReader(doc), limit); !errors.Is(err, ErrTooLarge) {
			t.Errorf("limit %d: error %v, want ErrTooLarge", limit, err)
		}
	}
}

func TestSplitReturnsCallbackAndReadErrors(t *testing.T) {
	stop := errors.New("stop")
	var p Splitter
	_, err := p.Split(strings.NewReader(`{"items":[{},{}]}`), func(Item) error { return stop })
	if err != stop {
		t.Errorf("callback error came back as %v", err)
	}
	_, _, _, err = collect(t, io.MultiReader(strings.NewReader(`{"items":[{}`), iotest.ErrReader(stop)), 0)
	if !errors.Is(err, stop) {
		t.Errorf("read error came back as %v", err)
	}
}

func TestScan(t *testing.T) {
	it, err := Scan([]byte(" {\"metadata\":{\"name\":\"a\"}}\n"))
	if err != nil || string(it.Name) != "a" || string(it.Raw) != `{"metadata":{"name":"a"}}` {
		t.Errorf("got %q %q, %v", it.Name, it.Raw, err)
	}
	for _, bad := range []string{"", "1", "{", "{} {}", `{"metadata":[]}`} {
		if _, err := Scan([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// FuzzSplit holds the splitter against encoding/json: what json refuses, the
// splitter refuses; what both accept has the same items with the same names.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{
		`{"kind":"L","metadata":{"continue":"x","remainingItemCount":4},"items":[{"metadata":{"name":"a","namespace":"b","labels":{"k":"v"}}}]}`,
		`{"items":null}`, `{"items":[{"a":[1,-0.5E+3,true,false,null,"\u00e9\\\"",{}]}]}`, " {\"\\u0069tems\" : [ ] }\t",
		`{"items":[{"metadata":{"name":"` + "\xff" + `"}}]}`, `{"items":[{}],"items":[]}`, `{"items":[{"metadata":{"name":"\ud83d\ude00"}}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		items, ids, _, err := collect(t, iotest.HalfReader(strings.NewReader(string(doc))), 0)
		var top map[string]json.RawMessage
		jsonErr := json.Unmarshal(doc, &top)
		if jsonErr != nil && err == nil {
			t.Fatalf("accepted what encoding/json refuses: %v", jsonErr)
		}
		if err != nil {
			return
		}
		var want []json.RawMessage
		if err := json.Unmarshal(orNull(top["items"]), &want); err != nil {
			t.Fatalf("items: %v", err)
		}
		if len(want) != len(items) {
			t.Fatalf("%d items, encoding/json has %d", len(items), len(want))
		}
		for i, w := range want {
			if string(w) != items[i] {
				t.Fatalf("item %d is %q, encoding/json has %q", i, items[i], w)
			}
			if id := identity(t, w); id != ids[i] {
				t.Fatalf("item %d is called %q, encoding/json says %q", i, ids[i], id)
			}
		}
	})
}

func orNull(raw json.RawMessage) []byte {
	if raw == nil {
		return []byte("null")
	}
	return raw
}

// identity reads namespace/name with encoding/json, by exact keys. Kubernetes
// never repeats a key; documents that do, or may with escapes, are not compared.
func identity(t *testing.T, raw []byte) string {
	t.Helper()
	for _, key := range []string{`"metadata"`, `"name"`, `"namespace"`, `\`} {
		if n := strings.Count(string(raw), key); n > 1 || n == 1 && key == `\` {
			t.Skip("repeated or escaped keys")
		}
	}
	var meta map[string]json.RawMessage
	if err := json.Unmarshal(orNull(member(t, raw, "metadata")), &meta); err != nil {
		t.Fatalf("metadata: %v", err)
	}
	var id [2]string
	for i, key := range []string{"namespace", "name"} {
		if err := json.Unmarshal(orNull(meta[key]), &id[i]); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
	}
	return id[0] + "/" + id[1]
}

func member(t *testing.T, raw []byte, key string) json.RawMessage {
	t.Helper()
	var o map[string]json.RawMessage
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatalf("item: %v", err)
	}
	return o[key]
}
