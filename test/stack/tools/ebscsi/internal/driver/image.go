package driver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// imageParameter of a StorageClass is the stack's own: with "true" the volumes of the class
// have real file systems of its fstype, in an image as large as the volume. It becomes an
// attribute of the PersistentVolume, so that the node knows of it.
const imageParameter = "stack/image"

// imageName is the image in a volume's directory.
const imageName = "filesystem.img"

func wantsImage(parameters map[string]string) bool {
	wants, err := strconv.ParseBool(parameters[imageParameter])
	return err == nil && wants
}

// volumeContext is what of a class's parameters the node has to know.
func volumeContext(parameters map[string]string) map[string]string {
	if !wantsImage(parameters) {
		return nil
	}
	return map[string]string{imageParameter: "true"}
}

// formats are the programs that make a file system, with the options that kubelets and
// drivers give them.
var formats = map[string][]string{
	"ext4": {"mkfs.ext4", "-F", "-m0"},
	"xfs":  {"mkfs.xfs", "-f"},
}

// makeImage gives a volume without an image one. It gets its name when it is whole, so that
// no file system is ever made twice.
func (n *Node) makeImage(ctx context.Context, volume, image, fsType string) error {
	format, known := formats[fsType]
	if !known {
		return status.Errorf(codes.InvalidArgument, "fsType: an image has ext4 or xfs, not %q", fsType)
	}
	if _, err := os.Stat(image); !errors.Is(err, fs.ErrNotExist) {
		return coded(err)
	}
	v, err := n.Cloud.Volume(ctx, volume)
	if err != nil {
		return coded(err)
	}
	part := image + ".part"
	err = errors.Join(os.RemoveAll(part), os.WriteFile(part, nil, 0o600), os.Truncate(part, int64(aws.ToInt32(v.Size))*gib))
	if err != nil {
		return coded(err)
	}
	if err := runProgram(ctx, append(format, part)...); err != nil {
		return coded(err)
	}
	return coded(os.Rename(part, image))
}

// mountImage mounts an image with the options of the request and no others. EBS's driver
// adds nouuid to those of XFS since its version 1.1, which would hide that a PersistentVolume
// lacks it: where a volume is to be mounted as EBS's is, its class says nouuid in
// mountOptions. The loop device is mount(8)'s own, and the kernel detaches it with the last
// mount, also when the node is killed. The file system is not checked before, as EBS's is: a
// journal is replayed by the mount.
func mountImage(ctx context.Context, image, target string, wanted *csi.VolumeCapability_MountVolume) error {
	options := append([]string{"loop"}, wanted.GetMountFlags()...)
	return runProgram(ctx, "mount", "-t", wanted.GetFsType(), "-o", strings.Join(options, ","), image, target)
}

// runProgram tells what the program said when it failed.
func runProgram(ctx context.Context, args ...string) error {
	if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}
