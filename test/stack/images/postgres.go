package images

import (
	"context"
	_ "embed"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// entry is what a container of the PostgreSQL image runs.
//
//go:embed postgres-entry.sh
var entry []byte

const postgresBin = "/usr/lib/postgresql/15/bin"

// postgres is Debian's PostgreSQL 15. It keeps its data under PGDATA, makes an
// empty cluster there if there is none, and trusts whoever reaches its socket.
func postgres() Image {
	return Image{
		Name: Postgres, recipe: "1" + string(entry) + strings.Join(unused, " "), fill: fillPostgres,
		Config: Config{
			Entrypoint: []string{"/bin/postgres-entry"}, User: "70:70", WorkingDir: "/",
			Env: []string{
				"PATH=" + postgresBin + ":/usr/bin:/bin", "PGDATA=/var/lib/postgresql/data/pgdata",
				"PGHOST=/run/postgresql", "PGUSER=postgres", "LANG=C.UTF-8", "TZ=UTC",
			},
		},
	}
}

// unused are packages that PostgreSQL's dependencies name and the server does
// without: its just-in-time compiler, the tools around it, and a package manager.
var unused = []string{
	"adduser", "apt", "debconf", "debian-archive-keyring", "dpkg", "e2fsprogs", "gpgv", "init-system-helpers",
	"libapt-pkg6.0", "libc-l10n", "libjson-perl", "libllvm14", "libperl5.36", "libz3-4", "locales", "login", "mount",
	"passwd", "perl", "perl-base", "perl-modules-5.36", "postgresql-client-common", "postgresql-common", "ssl-cert",
	"util-linux-extra",
}

func fillPostgres(ctx context.Context, progress io.Writer, root string) error {
	if err := debian(ctx, progress, root, "postgresql-15", unused); err != nil {
		return err
	}
	if err := base(root); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, "bin", "postgres-entry"), entry, 0o755); err != nil {
		return err
	}
	for _, dir := range []string{"var/lib/postgresql", "var/lib/postgresql/data", "run/postgresql"} {
		path := filepath.Join(root, dir)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		if err := os.Chown(path, postgresID, postgresID); err != nil {
			return err
		}
	}
	return nil
}
