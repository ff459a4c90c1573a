package migrate

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// mostBytes bounds what is read: a list of a hundred schedules has a megabyte.
const mostBytes = 64 << 20

// object is one of Velero's, or the Deployment of its server.
type object struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   metadata       `json:"metadata"`
	Spec       map[string]any `json:"spec"`
	Data       map[string]any `json:"data"`
	Items      []object       `json:"items"`
}

type metadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// parseObjects reads YAML or JSON, several documents or lists of them.
func parseObjects(text []byte) ([]object, error) {
	var all []object
	for docs := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("not YAML: %w", err)
		}
		var o object
		if err := yaml.Unmarshal(doc, &o); err != nil {
			return nil, fmt.Errorf("not a Kubernetes object: %w", err)
		}
		all = append(all, flatten(o)...)
	}
}

// flatten gives what a list holds.
func flatten(o object) []object {
	if len(o.Items) == 0 {
		return []object{o}
	}
	var all []object
	for _, item := range o.Items {
		all = append(all, flatten(item)...)
	}
	return all
}

// readFiles reads files; "-" is stdin.
func readFiles(stdin io.Reader, names []string) ([]object, error) {
	var all []object
	for _, name := range names {
		text, err := readFile(stdin, name)
		if err != nil {
			return nil, err
		}
		some, err := parseObjects(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, some...)
	}
	return all, nil
}

func readFile(stdin io.Reader, name string) ([]byte, error) {
	if name == "-" {
		return readAll(stdin)
	}
	f, err := os.Open(filepath.Clean(name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return readAll(f)
}

func readAll(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, mostBytes+1))
	if err == nil && len(text) > mostBytes {
		err = fmt.Errorf("more than %d bytes", mostBytes)
	}
	return text, err
}

// cluster says which kubectl is asked for what.
type cluster struct{ kubectl, kubeconfig, context, namespace string }

// read asks kubectl, which has the credentials of whoever runs this: for Velero's objects, and
// for what is beside them if it is there.
func (c cluster) read(ctx context.Context) ([]object, error) {
	all, err := c.get(ctx, "backupstoragelocations.velero.io,volumesnapshotlocations.velero.io,schedules.velero.io")
	if err != nil {
		return nil, err
	}
	for _, beside := range []string{"deployments.apps", "serviceaccounts", "configmaps"} {
		some, err := c.get(ctx, beside)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func (c cluster) get(ctx context.Context, types string) ([]object, error) {
	args := []string{"get", types, "--namespace", c.namespace, "--output", "json"}
	for flag, value := range map[string]string{"--kubeconfig": c.kubeconfig, "--context": c.context} {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	cmd := exec.CommandContext(ctx, c.kubectl, args...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("%w: install kubectl, or give files: kubectl get %s -n %s -o yaml | lifeboat migrate from-velero -f -", err, types, c.namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("kubectl get %s: %w: %s", types, err, strings.TrimSpace(errs.String()))
	}
	return parseObjects(out)
}
