package input_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/input"
)

const manifestText = `apiVersion: velero.io/v1
kind: Backup
metadata: {name: from-file, labels: {a: b}}
spec: {includedNamespaces: [one, two], ttl: 1h}
`

func readBackup(t *testing.T, text string, args []string, flags ...string) (contract.BackupInput, error) {
	t.Helper()
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	changes := input.BackupFlags(fs)
	if err := fs.Parse(flags); err != nil {
		t.Fatal(err)
	}
	src := input.Source{Stdin: strings.NewReader(text)}
	if text != "" {
		src.File = "-"
	}
	return input.Backup(src, changes, args)
}

func TestFlagsReplaceListsOfTheManifest(t *testing.T) {
	in, err := readBackup(t, manifestText, nil, "--include-namespaces=three", "--include-namespaces=four, five", "--labels=c=d", "--labels=e=f")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"three", "four", "five"}; !reflect.DeepEqual(in.Spec.IncludedNamespaces, want) {
		t.Errorf("namespaces %q, want %q", in.Spec.IncludedNamespaces, want)
	}
	if want := map[string]string{"c": "d", "e": "f"}; !reflect.DeepEqual(in.Labels, want) {
		t.Errorf("labels %q, want %q", in.Labels, want)
	}
	if in.Spec.TTL.Duration != time.Hour {
		t.Errorf("ttl %v of the manifest was not kept", in.Spec.TTL.Duration)
	}
}

func TestBackupName(t *testing.T) {
	for _, tc := range []struct {
		text string
		args []string
		want string // "" is an error
	}{
		{manifestText, nil, "from-file"},
		{manifestText, []string{"other"}, "other"},
		{manifestText, []string{""}, ""},
		{"", nil, ""},
	} {
		in, err := readBackup(t, tc.text, tc.args)
		if (err != nil) != (tc.want == "") || err == nil && in.Name != tc.want {
			t.Errorf("%q: got %q, %v; want %q", tc.args, in.Name, err, tc.want)
		}
	}
}

func TestRestoreName(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.FixedZone("", 3600))
	long := strings.Repeat("a", 63)
	for flag, want := range map[string]string{
		"--from-backup=nightly":  "nightly-20260102110000",
		"--from-schedule=weekly": "weekly-20260102110000",
		"--from-backup=" + long:  long[:48] + "-20260102110000",
	} {
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		changes := input.RestoreFlags(fs)
		if err := fs.Parse([]string{flag}); err != nil {
			t.Fatal(err)
		}
		in, err := input.Restore(input.Source{}, changes, nil, now)
		if err != nil || in.Name != want {
			t.Errorf("%s: got %q, %v; want %q", flag, in.Name, err, want)
		}
	}
}

// A Velero document that lacks half of what was asked for must not be printed.
func TestCheckRestoreDocument(t *testing.T) {
	if err := input.CheckRestoreDocument(contract.RestoreInput{Name: "r"}); err != nil {
		t.Error(err)
	}
	for flag, in := range map[string]contract.RestoreInput{
		"--include-name":           {Names: []string{"a/b"}},
		"--dry-run":                {DryRun: true},
		"--plan":                   {Plan: "look"},
		"--storage-class-mappings": {StorageClasses: map[string]string{"a": "b"}},
		"--storage-location":       {Location: "west"},
		"--allow-partially-failed": {AllowPartiallyFailed: true},
	} {
		if err := input.CheckRestoreDocument(in); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// A value is refused when it is parsed, before a manifest is read.
func TestFlagRefused(t *testing.T) {
	for flag, want := range map[string]string{
		"--ttl=3d":                                    `"3d" is not a duration`,
		"--labels=a":                                  `"a" is not of the form key=value`,
		"--snapshot-volumes=maybe":                    `"maybe" is neither true nor false`,
		"--parallel-files-upload=-1":                  `"-1" is not a number of 0 or more`,
		"--selector=":                                 "the selector is empty",
		"--or-selector=a=b or ":                       "the selector is empty",
		"--ordered-resources=pods":                    "is not of the form type=namespace/name",
		"--ordered-resources=pods=a/b;pods=a/c":       "type pods is given twice",
		"--ordered-resources=pods=a/b=persistentvols": "is not of the form type=namespace/name",
	} {
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		input.BackupFlags(fs)
		if err := fs.Parse([]string{flag}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", flag, err, want)
		}
	}
}

// Every label and annotation that Kubernetes would refuse is named, in one error.
func TestMetadataRefused(t *testing.T) {
	_, err := readBackup(t, manifestText, nil, "--labels=a/b/c=d,ok=yes,k=not valid", "--annotations=-=x")
	if err == nil {
		t.Fatal("invalid labels were taken")
	}
	for _, want := range []string{"metadata.labels[a/b/c]", "metadata.labels[k]", "metadata.annotations[-]"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "[ok]") {
		t.Errorf("a valid label is named: %v", err)
	}
}
