package install

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// veleroFlags are those of `velero install` that say what values say.
type veleroFlags struct {
	provider, bucket, prefix, image string
	storage, snapshots, annotations map[string]string
}

func (v *veleroFlags) bind(f *pflag.FlagSet) {
	f.StringVar(&v.provider, "provider", "aws", "Velero's word for the store: aws, the only one")
	f.StringVar(&v.bucket, "bucket", "", "bucket of a storage location called default")
	f.StringVar(&v.prefix, "prefix", "", "prefix in that bucket")
	f.StringVar(&v.image, "image", "", "image of the workers, with tag or digest")
	f.StringToStringVar(&v.storage, "backup-location-config", nil, "configuration of that storage location, as region=eu-central-1")
	f.StringToStringVar(&v.snapshots, "snapshot-location-config", nil, "configuration of a snapshot location called default")
	f.StringToStringVar(&v.annotations, "sa-annotations", nil, "annotations of the ServiceAccount")
}

// values are what the flags say, as values of the chart. cluster is the one of --cluster.
func (v *veleroFlags) values(cluster string) (map[string]any, error) {
	if v.provider != "aws" && v.provider != "velero.io/aws" {
		return nil, fmt.Errorf("--provider %q: Lifeboat speaks S3: aws", v.provider)
	}
	configuration := map[string]any{}
	if cluster != "" {
		configuration["cluster"] = cluster
	}
	if v.bucket != "" {
		configuration["backupStorageLocations"] = []any{location("BackupStorageLocation", map[string]any{
			"default": true, "objectStorage": objectStorage(v.bucket, v.prefix), "config": texts(v.storage),
		})}
	} else if v.prefix != "" || len(v.storage) > 0 {
		return nil, fmt.Errorf("--prefix and --backup-location-config need --bucket")
	}
	if len(v.snapshots) > 0 {
		configuration["volumeSnapshotLocations"] = []any{location("VolumeSnapshotLocation", map[string]any{"config": texts(v.snapshots)})}
	}
	out := map[string]any{"configuration": configuration, "serviceAccount": map[string]any{"annotations": texts(v.annotations)}}
	if v.image != "" {
		out["image"] = imageValues(v.image)
	}
	return out, nil
}

func location(kind string, spec map[string]any) map[string]any {
	spec["provider"] = "aws"
	return map[string]any{"apiVersion": "velero.io/v1", "kind": kind, "metadata": map[string]any{"name": "default"}, "spec": spec}
}

func objectStorage(bucket, prefix string) map[string]any {
	out := map[string]any{"bucket": bucket}
	if prefix != "" {
		out["prefix"] = prefix
	}
	return out
}

// texts is a map as it comes out of YAML.
func texts(m map[string]string) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// imageValues takes an image's name apart: the tag is what follows the last colon behind the last
// slash.
func imageValues(name string) map[string]any {
	if repository, digest, found := strings.Cut(name, "@"); found {
		return map[string]any{"repository": repository, "digest": digest}
	}
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		return map[string]any{"repository": name[:i], "tag": name[i+1:]}
	}
	return map[string]any{"repository": name}
}
