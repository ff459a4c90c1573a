package stack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// EBS is the simulator of EC2's volumes, of STS and of the part of KMS that volumes need. Several stacks can share one,
// as several clusters share an account (Options.EBSFrom).
type EBS struct {
	Endpoint        string   `json:"endpoint"` // for EC2 and STS alike
	AdminToken      string   `json:"adminToken"`
	Region          string   `json:"region"`
	Zones           []string `json:"zones"`
	Account         string   `json:"account"`
	AccessKeyID     string   `json:"accessKeyID"` // of an administrator
	SecretAccessKey string   `json:"secretAccessKey"`
	CredentialsFile string   `json:"credentialsFile"` // AWS's own form, profile default
	DriverFile      string   `json:"driverFile"`      // the same for the CSI driver
	WorkerFile      string   `json:"workerFile"`      // the same for Lifeboat, with the rights that deploy/iam gives
	VolumeKey       string   `json:"volumeKey"`       // of KMS, which Lifeboat and the CSI driver may use for volumes
	SpareKey        string   `json:"spareKey"`        // another one, which a test may disable
	TokenFile       string   `json:"tokenFile"`       // holds AdminToken
	Dir             string   `json:"dir"`             // of its data: volumes/vol-…, snapshots/snap-…
}

// Environment is what points an AWS client at the simulator. Variables that would
// win over the credentials file are emptied.
func (e *EBS) Environment() []string {
	return append(
		e.Endpoints(),
		"AWS_REGION="+e.Region, "AWS_SHARED_CREDENTIALS_FILE="+e.CredentialsFile,
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_PROFILE=", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_SESSION_TOKEN=",
	)
}

// Endpoints are the variables that point each service of the simulator's at it, so that no client asks AWS.
func (e *EBS) Endpoints() (all []string) {
	for _, service := range []string{"EC2", "EBS", "STS", "SERVICE_QUOTAS", "EKS", "KMS"} {
		all = append(all, "AWS_ENDPOINT_URL_"+service+"="+e.Endpoint)
	}
	return all
}

// ebsComponents names what has to be built for EBS.
func (o Options) ebsComponents() []string {
	switch {
	case !o.EBS:
		return nil
	case o.NoCluster:
		return []string{"ebssim"}
	}
	return []string{"ebssim", "ebscsi", "csi-snapshotter"}
}

// startEBS starts the simulator, or joins the one of another stack. It comes after
// the API server, whose service accounts the simulator's STS trusts.
func (s *Stack) startEBS(ctx context.Context, o Options) error {
	if !o.EBS {
		return nil
	}
	if o.EBSFrom != nil {
		shared := *o.EBSFrom
		s.EBS = &shared
		return nil
	}
	binary, err := Binary("ebssim")
	if err != nil {
		return err
	}
	config, err := s.writeEBS(o.EBSOptions, o.EBSFast)
	if err != nil {
		return fmt.Errorf("configure ebssim: %w", err)
	}
	return s.launch(ctx, "ebssim", 1, func(ports []int) (*service, error) {
		s.EBS.Endpoint = "http://" + loopback(ports[0])
		return &service{Name: "ebssim", Binary: binary, Health: s.EBS.Endpoint + "/_sim/health", Args: []string{
			"--listen=" + loopback(ports[0]), "--dir=" + s.EBS.Dir, "--config=" + config,
		}}, nil
	})
}

// writeEBS fills in what the options leave open and writes them, the credentials
// and the token into the stack's directory. The keys are those of the object store:
// one credentials file serves for both, as in a real account.
func (s *Stack) writeEBS(o ebssim.Options, fast bool) (config string, err error) {
	dir := s.data("ebs")
	if err := makeDirs(dir); err != nil {
		return "", err
	}
	if o, err = defaultEBS(o, fast); err != nil {
		return "", err
	}
	o.Dir = filepath.Join(dir, "disks")
	s.EBS = &EBS{
		AdminToken: o.AdminToken, Region: o.Region, Zones: o.Zones, Account: o.AccountID, Dir: o.Dir,
		VolumeKey: volumeKeys(o)[0], SpareKey: volumeKeys(o)[1], AccessKeyID: o.Users[0].AccessKeyID, SecretAccessKey: o.Users[0].SecretAccessKey,
		CredentialsFile: filepath.Join(dir, "credentials"), DriverFile: filepath.Join(dir, "driver-credentials"), WorkerFile: filepath.Join(dir, "worker-credentials"), TokenFile: filepath.Join(dir, "admin-token"),
	}
	if o.Issuers, err = s.issuers(o.Issuers); err != nil {
		return "", err
	}
	text, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return "", err
	}
	config = filepath.Join(dir, "ebssim.json")
	profile := func(key, secret string) []byte {
		return fmt.Appendf(nil, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", key, secret)
	}
	return config, sequence(
		func() error { return writeSecret(config, text) },
		func() error {
			return writeSecret(s.EBS.CredentialsFile, profile(s.EBS.AccessKeyID, s.EBS.SecretAccessKey))
		},
		func() error { return writeSecret(s.EBS.DriverFile, profile(driverAccessKey, driverSecretKey)) },
		func() error { return writeSecret(s.EBS.WorkerFile, profile(workerAccessKey, workerSecretKey)) },
		func() error { return writeSecret(s.EBS.TokenFile, []byte(o.AdminToken)) },
	)()
}

// defaultEBS puts the administrator first among the users, then the CSI driver and Lifeboat. Limits and
// timings are those of a real account, unless the test is about other things.
func defaultEBS(o ebssim.Options, isFast bool) (ebssim.Options, error) {
	if o.Region == "" {
		o.Region = ebsRegion
	}
	if o.AdminToken == "" {
		o.AdminToken = rand.Text()
	}
	if o.Limits == nil && isFast {
		fast := ebssim.Fast()
		o.Limits = &fast
	}
	o = o.WithDefaults()
	o.Keys = append(o.Keys, volumeKeys(o)...)
	admin := ebssim.User{Name: "stack", AccessKeyID: s3AccessKey, SecretAccessKey: s3SecretKey}
	worker, err := workerUser(o)
	o.Users = append([]ebssim.User{admin, driverUser(volumeKeys(o)), worker}, o.Users...)
	return o, err
}

// issuers adds this cluster: its service accounts can assume roles.
func (s *Stack) issuers(more []ebssim.Issuer) ([]ebssim.Issuer, error) {
	if s.CAFile == "" { // a stack without a cluster
		return more, nil
	}
	ca, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, err
	}
	return append([]ebssim.Issuer{{URL: s.APIServer, CA: string(ca)}}, more...), nil
}
