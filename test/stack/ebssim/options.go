package ebssim

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
)

// Options say what the simulator is. As JSON they are the file of cmd/ebssim.
type Options struct {
	// Dir holds data and state; a Sim on the same Dir goes on where the last was.
	Dir       string   `json:"dir"`
	AccountID string   `json:"accountID"`
	Region    string   `json:"region"`
	Zones     []string `json:"zones"`
	// AdminToken opens the admin API; without one it is closed.
	AdminToken string `json:"adminToken"`
	// Limits default to Published.
	Limits *Limits `json:"limits,omitempty"`
	// Users are those with lasting keys. A user without policies may do anything.
	Users []User `json:"users"`
	// Roles are assumed with a web identity that one of the Issuers signed.
	Roles   []Role   `json:"roles,omitempty"`
	Issuers []Issuer `json:"issuers,omitempty"`
	// Associations are those of EKS Pod Identity.
	Associations []Association `json:"associations,omitempty"`
	Instances    []Instance    `json:"instances,omitempty"`
	// Keys of KMS that may be used beside the account's own for EBS: ids, aliases or ARNs.
	Keys []string `json:"keys,omitempty"`
	// RecycleBin keeps deleted snapshots.
	RecycleBin []RetentionRule `json:"recycleBin,omitempty"`
	Clock      Clock           `json:"-"`
}

// User is an identity with lasting keys.
type User struct {
	Name            string            `json:"name"`
	AccessKeyID     string            `json:"accessKeyID"`
	SecretAccessKey string            `json:"secretAccessKey"`
	Policies        []json.RawMessage `json:"policies,omitempty"`
}

// Role is an identity that a web identity, a user or another role may assume. Trust is its trust
// policy: with conditions on "<issuer>:sub" and "<issuer>:aud", or with principals of AWS, or the service
// of EKS Pod Identity, and conditions on sts:ExternalId and aws:RequestTag.
type Role struct {
	Name     string            `json:"name"`
	Account  string            `json:"account,omitempty"` // default the simulator's own
	Trust    json.RawMessage   `json:"trust"`
	Policies []json.RawMessage `json:"policies,omitempty"`
}

// Issuer is an OpenID Connect provider whose tokens are accepted.
type Issuer struct {
	// URL is the "iss" of its tokens.
	URL string `json:"url"`
	// Audiences default to sts.amazonaws.com.
	Audiences []string `json:"audiences,omitempty"`
	// JWKSURL is where its keys are, if its discovery document cannot be reached.
	JWKSURL string `json:"jwksURL,omitempty"`
	// CA is PEM of who signed its certificate; the system's otherwise.
	CA string `json:"ca,omitempty"`
}

// Association gives a role to the pods of a service account, as one of EKS Pod Identity does. The tokens are
// those of an Issuer, for the audience pods.eks.amazonaws.com.
type Association struct {
	Cluster        string `json:"cluster"` // its name in EKS
	Namespace      string `json:"namespace"`
	ServiceAccount string `json:"serviceAccount"`
	Role           string `json:"role"` // ARN
	// Lasts is how long credentials are good for; as with EKS 6 h if it is 0.
	Lasts Duration `json:"lasts,omitempty"`
}

// Instance is a machine that volumes attach to.
type Instance struct {
	ID   string `json:"id"`
	Zone string `json:"zone"`
	// Outpost is the ARN of the one that it is on, if it is.
	Outpost string `json:"outpost,omitempty"`
	// RootVolume is its boot volume; one is made if it is empty.
	RootVolume string            `json:"rootVolume,omitempty"`
	PrivateDNS string            `json:"privateDNS,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
}

// RetentionRule keeps deleted snapshots in the Recycle Bin for Retain, those with
// one of the tags, or all if it names none.
type RetentionRule struct {
	Tags   map[string]string `json:"tags,omitempty"`
	Retain Duration          `json:"retain"`
}

// ReadOptions reads a file of options. Unknown fields are errors.
func ReadOptions(path string) (Options, error) {
	file, err := os.Open(path)
	if err != nil {
		return Options{}, fmt.Errorf("read options: %w", err)
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	var o Options
	if err := decoder.Decode(&o); err != nil {
		return Options{}, fmt.Errorf("read options from %s: %w", path, err)
	}
	return o, nil
}

// WithDefaults fills in what is empty, as a real account has it.
func (o Options) WithDefaults() Options {
	if o.AccountID == "" {
		o.AccountID = "111122223333" // the account of AWS's own examples
	}
	if o.Region == "" {
		o.Region = "eu-central-1"
	}
	if len(o.Zones) == 0 {
		o.Zones = []string{o.Region + "a", o.Region + "b", o.Region + "c", o.Region + "-bos-1a"} // the last is a Local Zone
	}
	if o.Limits == nil {
		published := Published()
		o.Limits = &published
	}
	if o.Clock == nil {
		o.Clock = realClock{}
	}
	return o
}

func (o Options) validate() error {
	if o.Dir == "" {
		return errors.New("options.dir: name a directory for data and state")
	}
	seen := map[string]bool{}
	for i, user := range o.Users {
		if seen[user.AccessKeyID] {
			return fmt.Errorf("options.users[%d].accessKeyID: taken by another user", i)
		}
		seen[user.AccessKeyID] = true
	}
	for i, instance := range o.Instances {
		if err := o.checkInstance(instance); err != nil {
			return fmt.Errorf("options.instances[%d].%w", i, err)
		}
	}
	return nil
}

func (o Options) checkInstance(instance Instance) error {
	if instance.ID == "" {
		return errors.New("id: name the instance, as i-0123456789abcdef0")
	}
	if !slices.Contains(o.Zones, instance.Zone) {
		return fmt.Errorf("zone: %q is none of %v", instance.Zone, o.Zones)
	}
	return nil
}
