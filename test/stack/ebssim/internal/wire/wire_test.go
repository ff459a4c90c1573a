package wire_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

func parse(t *testing.T, form string) wire.Params {
	t.Helper()
	values, err := url.ParseQuery(form)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Params(values)
}

func TestListsGoByNumber(t *testing.T) {
	p := parse(t, "Id.10=c&Id.2=b&Id.1=a&Id.x=no&Id.-1=no&Id.01=no&IdX.1=no&Tag.2.Key=k&Tag.2.Value=v&Tag.1.Key=only")
	if got := p.List("Id"); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("got %v", got)
	}
	if got := p.Tags(); len(got) != 2 || got[0].Key != "only" || got[1].Value != "v" {
		t.Errorf("got %v", got)
	}
}

func TestNumbersAndFlags(t *testing.T) {
	p := parse(t, "N=5&B=true&X=x")
	if n, err := p.Int("N"); err != nil || *n != 5 {
		t.Error(n, err)
	}
	if b, err := p.Bool("B"); err != nil || !*b {
		t.Error(b, err)
	}
	if n, err := p.Int("none"); n != nil || err != nil {
		t.Error(n, err)
	}
	_, err1 := p.Int("X")
	_, err2 := p.Bool("X")
	for _, err := range []error{err1, err2} {
		if known := new(wire.Error); !errors.As(err, &known) || known.Code != "InvalidParameterValue" || known.Status != 400 {
			t.Errorf("got %v", err)
		}
	}
}

func TestAnswers(t *testing.T) {
	body := struct {
		IDs []string `xml:"set>item"`
	}{[]string{"a", "<b>"}}
	ec2, err := wire.EC2Response("Do", "r1", body)
	if err != nil {
		t.Fatal(err)
	}
	want := xml.Header + `<DoResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r1</requestId><set><item>a</item><item>&lt;b&gt;</item></set></DoResponse>`
	if string(ec2) != want {
		t.Errorf("got  %s\nwant %s", ec2, want)
	}
	failed, err := wire.EC2Error(wire.Invalid("Code", "m"), "r2")
	want = xml.Header + `<Response><Errors><Error><Code>Code</Code><Message>m</Message></Error></Errors><RequestID>r2</RequestID></Response>`
	if err != nil || string(failed) != want {
		t.Errorf("got  %s %v\nwant %s", failed, err, want)
	}
	if e := wire.AsError(fmt.Errorf("x: %w", wire.Invalid("Code", "m"))); e.Code != "Code" {
		t.Errorf("got %v", e)
	}
	if e := wire.AsError(errors.New("disk full")); e.Code != "InternalError" || e.Status != 500 {
		t.Errorf("got %v", e)
	}
}

// FuzzParams: any form is read without harm.
func FuzzParams(f *testing.F) {
	f.Add("Tag.1.Key=a&Tag.99999999999999999999.Key=b&Filter.1.Value.2=c")
	f.Fuzz(func(t *testing.T, form string) {
		values, err := url.ParseQuery(form)
		if err != nil {
			return
		}
		p := wire.Params(values)
		if groups := p.Groups("Tag"); len(groups) != len(p.List("Tag")) {
			t.Fatal("lists and groups differ")
		}
		p.Tags()
	})
}
