package migrate

import (
	"cmp"
	"fmt"
	"path"
	"strings"
	"time"
)

// server is what is known of Velero's.
type server struct {
	found    bool
	account  string // its ServiceAccount, "" for that of the namespace
	location string // its argument for the default storage location
	accounts []object
	// credentials are those that its locations have where they name none, of credentialsFile.
	credentials     secretKey
	credentialsFile string
}

// defaultLocation is the one that Velero's server takes where none is marked.
func (s *server) defaultLocation() string { return cmp.Or(s.location, "default") }

// addServer reads the arguments of Velero's server.
func (c *conversion) addServer(o object) error {
	pod := field(o.Spec, "template", "spec")
	containers, _ := pod["containers"].([]any)
	var args []string
	is := o.Metadata.Name == "velero"
	for _, container := range containers {
		fields, _ := container.(map[string]any)
		command := textsOf(fields["command"])
		is = is || len(command) > 0 && path.Base(command[0]) == "velero"
		args = append(append(args, command...), textsOf(fields["args"])...)
	}
	if !is {
		return nil
	}
	c.server.found = true
	c.server.account, _ = pod["serviceAccountName"].(string)
	c.values.NodeSelector = field(pod, "nodeSelector")
	c.values.Tolerations, _ = pod["tolerations"].([]any)
	if err := c.addVariables(pod); err != nil {
		return err
	}
	return c.addArguments(args)
}

func textsOf(list any) (out []string) {
	all, _ := list.([]any)
	for _, v := range all {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

// addArguments takes a value behind its flag, after = or as the next argument.
func (c *conversion) addArguments(args []string) error {
	for i, a := range args {
		if !strings.HasPrefix(a, "-") {
			continue
		}
		name, value, given := strings.Cut(a, "=")
		if !given && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			value = args[i+1]
		}
		if err := c.addArgument(name, value, given); err != nil {
			return fmt.Errorf("the argument %s of Velero's server: %w", name, err)
		}
	}
	return nil
}

func (c *conversion) addArgument(name, value string, given bool) error {
	conf := &c.values.Configuration
	isSet := !given || value != "false" && value != "0" // of a switch
	switch name {
	case "--default-backup-ttl":
		conf.DefaultBackupTTL = value
		if d, err := time.ParseDuration(value); err != nil || d <= 0 {
			return fmt.Errorf("%q is no duration such as 720h", value)
		}
	case "--default-backup-storage-location":
		c.server.location = value
	case "--log-level":
		c.addLogLevel(strings.ToLower(value))
	case "--log-format":
		conf.log().Format = value
	case "--default-volumes-to-fs-backup", "--default-volumes-to-restic":
		if isSet {
			c.note("the argument %s of Velero's server has backups take files of volumes: Lifeboat snapshots volumes instead", name)
		}
	case "--default-snapshot-move-data":
		if isSet {
			c.note("the argument %s of Velero's server has backups move the data of snapshots to the bucket: Lifeboat keeps the snapshots where they are", name)
		}
	case "--features", "--uploader-type", "--plugin-dir": // snapshots through CSI need no switch, and there are no plug-ins
	default:
		c.note("the argument %s of Velero's server has no twin", name)
	}
	return nil
}

// addLogLevel takes the nearest level that the worker has.
func (c *conversion) addLogLevel(level string) {
	switch level {
	case "trace":
		level = "debug"
	case "warning":
		level = "warn"
	case "fatal", "panic":
		level = "error"
	}
	c.values.Configuration.log().Level = level
}

func (c *Configuration) log() *Log {
	if c.Log == nil {
		c.Log = &Log{}
	}
	return c.Log
}

// addRole takes the role of Velero's server over, which its ServiceAccount names. Where no server
// was read, an account that is called like it is taken for its own.
func (c *conversion) addRole() {
	for _, o := range c.server.accounts {
		role := o.Metadata.Annotations["eks.amazonaws.com/role-arn"]
		is := strings.HasPrefix(o.Metadata.Name, "velero")
		if c.server.found {
			is = o.Metadata.Name == cmp.Or(c.server.account, "default")
		}
		if role == "" || !is {
			continue
		}
		c.values.ServiceAccount = &ServiceAccount{RoleArn: role}
		c.note("the role %s trusts Velero's ServiceAccount %s/%s: let its trust policy name that of Lifeboat too (lifeboat iam trust), and give it the rights of lifeboat iam policy", role, o.Metadata.Namespace, o.Metadata.Name)
	}
}
