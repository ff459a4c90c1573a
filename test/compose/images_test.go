//go:build stack

package compose

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// image is one that docker-compose.yml names: how it is made of what the stack has built.
type image struct {
	name       string
	files      map[string]string // where they lie in the context, by their source
	dockerfile string
}

const busybox = "busybox:1.37.0"

// images are those of docker-compose.yml. What the file itself says of a container, such as its
// user and command, is not repeated here.
func images(b harness.Binaries) ([]image, error) {
	found := map[string]string{}
	for _, name := range []string{"temporal-server", "temporal-sql-tool", "temporal-ui", "temporal-ui-config", "versitygw"} {
		path, err := stack.Binary(name)
		if err != nil {
			return nil, err
		}
		found[name] = path
	}
	return []image{
		{"postgres:15.18", map[string]string{"testdata/postgres-entry.sh": "entry", "testdata/passwd": "passwd"}, `FROM lifeboat.test/postgres:15
COPY passwd /etc/passwd
COPY entry /usr/local/bin/docker-entrypoint.sh
USER 0
RUN chown -R 999:999 /var/lib/postgresql
ENTRYPOINT ["/bin/sh", "/usr/local/bin/docker-entrypoint.sh"]`},
		{"temporalio/server:1.29.1", map[string]string{found["temporal-server"]: "temporal-server", "testdata/passwd": "passwd"}, `FROM ` + busybox + `
COPY passwd /etc/passwd
COPY temporal-server /usr/local/bin/temporal-server`},
		{"temporalio/admin-tools:1.29.1-tctl-1.18.4-cli-1.5.0", map[string]string{found["temporal-sql-tool"]: "temporal-sql-tool"}, `FROM ` + busybox + `
COPY temporal-sql-tool /usr/local/bin/temporal-sql-tool`},
		{"temporalio/ui:2.42.1", map[string]string{found["temporal-ui"]: "ui-server", found["temporal-ui-config"] + "/docker.yaml": "docker.yaml"}, `FROM ` + busybox + `
WORKDIR /home/ui-server
COPY ui-server ./
COPY docker.yaml ./config/docker.yaml
ENTRYPOINT ["./ui-server", "--env", "docker", "start"]`},
		{"versity/versitygw:v1.8.0", map[string]string{found["versitygw"]: "versitygw"}, `FROM ` + busybox + `
COPY versitygw /usr/local/bin/versitygw
ENTRYPOINT ["/bin/sh", "-c", "exec versitygw \"$VGW_BACKEND\" \"$VGW_BACKEND_ARG\""]`},
		{"ghcr.io/lifeboat-backup/lifeboat:dev", map[string]string{b.Worker: "lifeboat-worker", b.CLI: "lifeboat"}, `FROM scratch
COPY lifeboat-worker lifeboat /
USER 65532:65532
ENTRYPOINT ["/lifeboat-worker"]
CMD ["--config", "/etc/lifeboat/lifeboat.yaml"]`},
	}, nil
}

// loadImages gives the engine all images.
func loadImages(ctx context.Context, e *stack.Engine, b harness.Binaries, dir string) error {
	archives, err := stack.ImageArchives()
	if err != nil {
		return err
	}
	for _, archive := range archives {
		if _, err := e.Docker(ctx, "", "load", "--input", archive); err != nil {
			return err
		}
	}
	if _, err := e.Docker(ctx, "FROM busybox:1.35\nENV PATH=/usr/local/bin:/bin\n", "build", "--quiet", "--tag", busybox, "-"); err != nil {
		return err
	}
	all, err := images(b)
	if err != nil {
		return err
	}
	for _, i := range all {
		if err := i.build(ctx, e, dir); err != nil {
			return fmt.Errorf("build image %s: %w", i.name, err)
		}
	}
	return nil
}

func (i image) build(ctx context.Context, e *stack.Engine, dir string) error {
	dir, err := os.MkdirTemp(dir, "image-")
	if err != nil {
		return err
	}
	for source, name := range i.files {
		if err := linkOrCopy(source, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	text := strings.TrimSpace(i.dockerfile) + "\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o600); err != nil {
		return err
	}
	_, err = e.Docker(ctx, "", "build", "--quiet", "--network", "none", "--tag", i.name, dir)
	return err
}

func linkOrCopy(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
