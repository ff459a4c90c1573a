package migrate

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// sharedCredentials names the file that AWS's SDK takes keys of. Velero's installer and its chart set
// it, for all locations that name no Secret of their own.
const sharedCredentials = "AWS_SHARED_CREDENTIALS_FILE" //nolint:gosec // the name of a variable

// secretKey is a key of a Secret; the zero value is none.
type secretKey struct{ name, key string }

// addVariables reads what Velero's server has in its environment: the Secret with its keys of AWS, and
// what the workers may need too.
func (c *conversion) addVariables(pod map[string]any) error {
	var spec corev1.PodSpec
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(pod, &spec); err != nil {
		return fmt.Errorf("the pod of Velero's server: %w", err)
	}
	for _, container := range spec.Containers {
		for _, v := range container.Env {
			if v.Name == sharedCredentials {
				c.server.credentials, c.server.credentialsFile = secretOf(v.Value, container.VolumeMounts, spec.Volumes), v.Value
			} else if !isVeleros(v.Name) {
				c.note("the variable %s of Velero's server is not carried over: if the workers need it, extraEnv of the values has room for it", v.Name)
			}
		}
	}
	return nil
}

// isVeleros tells the variables that Velero's installer and its chart set themselves.
func isVeleros(name string) bool {
	return strings.HasPrefix(name, "VELERO_") || slices.Contains([]string{
		"LD_LIBRARY_PATH", "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CREDENTIALS_FILE", "ALIBABA_CLOUD_CREDENTIALS_FILE", "GOMAXPROCS", "GOMEMLIMIT",
	}, name)
}

// secretOf finds the Secret that a file of a container comes from.
func secretOf(file string, mounts []corev1.VolumeMount, volumes []corev1.Volume) secretKey {
	for _, m := range mounts {
		name := path.Base(file)
		switch path.Clean(m.MountPath) {
		case path.Dir(file):
		case file:
			name = m.SubPath
		default:
			continue
		}
		i := slices.IndexFunc(volumes, func(v corev1.Volume) bool { return v.Name == m.Name && v.Secret != nil })
		if i < 0 {
			continue
		}
		secret := volumes[i].Secret
		for _, item := range secret.Items {
			if item.Path == name {
				name = item.Key
			}
		}
		return secretKey{secret.SecretName, name}
	}
	return secretKey{}
}

// addCredentials has locations without a Secret of their own name the one of Velero's server. Where the
// server has a role, AWS's SDK asks for that before it looks into a file.
func (c *conversion) addCredentials() {
	from := c.server.credentials
	switch {
	case c.server.credentialsFile == "" || c.values.ServiceAccount != nil:
		return
	case from == secretKey{}:
		c.note("the variable %s of Velero's server names %s, which is of no Secret: locations that name no credential have none now", sharedCredentials, c.server.credentialsFile)
		return
	}
	var named []string
	for _, d := range slices.Concat(c.values.Configuration.BackupStorageLocations, c.values.Configuration.VolumeSnapshotLocations) {
		if _, has := d.Spec["credential"]; !has {
			d.Spec["credential"] = map[string]any{"name": from.name, "key": from.key}
			named = append(named, d.Kind+" "+d.Metadata.Name)
		}
	}
	if len(named) > 0 {
		c.note("%s: credentials are those of Velero's server, of the Secret %s in namespace %s: it has to stay there", strings.Join(named, ", "), from.name, c.values.Configuration.Namespace)
	}
}
