package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
)

// The key of a file and that of a Secret are the ones that `drill keygen` makes; what is wrong
// is said without a word of the key.
func TestSigningKey(t *testing.T) {
	private, public, id, err := evidence.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key")
	spoilt := filepath.Join(t.TempDir(), "spoilt")
	if err := errors.Join(os.WriteFile(file, private, 0o600), os.WriteFile(spoilt, private[:len(private)-40], 0o600)); err != nil {
		t.Fatal(err)
	}
	read := func(_ context.Context, name, key string) ([]byte, error) {
		if name == "drills" && key == "key" {
			return private, nil
		}
		return nil, errors.New("secrets \"" + name + "\" not found")
	}
	secret := strings.Split(string(private), "\n")[1][:20]
	for _, c := range []struct {
		key  SigningKey
		want string
	}{
		{SigningKey{File: file}, ""},
		{SigningKey{Secret: &SecretEntry{"drills", "key"}}, ""},
		{SigningKey{}, "name a file or a secret"},
		{SigningKey{File: file, Secret: &SecretEntry{"drills", "key"}}, "and not both"},
		{SigningKey{Secret: &SecretEntry{Name: "drills"}}, "name and key are required"},
		{SigningKey{Secret: &SecretEntry{"other", "key"}}, `secrets "other" not found`},
		{SigningKey{File: file + "x"}, "no such file"},
		{SigningKey{File: spoilt}, "no PEM block"},
	} {
		key, err := c.key.Load(t.Context(), read)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("%+v: %v", c.key, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		want, err := evidence.ParsePublicKey(public)
		if got, _ := evidence.KeyID(want); err != nil || got != id || !want.Equal(key.Public()) {
			t.Errorf("another key: %s, %v", got, err)
		}
	}
}
