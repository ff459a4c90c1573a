package ebssim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/iam/evaluation"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/journal"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/webid"
)

// identity is who may sign requests with an access key.
type identity struct {
	arn, userID, secret string
	account             string // "" is the simulator's own
	role                string // ARN of the role whose session it is
	admin               bool
	policies            []evaluation.Policy
	// token and expires are of temporary credentials only.
	token   string
	expires time.Time
	// transitive are tags of the session, which the sessions that it begins inherit.
	transitive map[string]string
}

// trustedIssuer is an issuer with its keys.
type trustedIssuer struct {
	Issuer
	keys *webid.Issuer
}

// role is what a web identity can become.
type role struct {
	Role
	trust    evaluation.Policy
	policies []evaluation.Policy
}

func (s *Sim) loadIdentities() error {
	for _, user := range s.options.Users {
		if err := s.addUser(user); err != nil {
			return fmt.Errorf("options.users: %w", err)
		}
	}
	for _, r := range s.options.Roles {
		if err := s.addRole(r); err != nil {
			return fmt.Errorf("options.roles: %w", err)
		}
	}
	for _, issuer := range s.options.Issuers {
		if err := s.addIssuer(issuer); err != nil {
			return fmt.Errorf("options.issuers: %w", err)
		}
	}
	for _, a := range s.options.Associations {
		if err := s.addAssociation(a); err != nil {
			return fmt.Errorf("options.associations: %w", err)
		}
	}
	return nil
}

// AddUser adds an identity, or replaces the one with that access key. It is
// forgotten when the simulator ends, unless it is in the options too.
func (s *Sim) AddUser(user User) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addUser(user)
}

func (s *Sim) addUser(user User) error {
	if user.Name == "" || user.AccessKeyID == "" || user.SecretAccessKey == "" {
		return fmt.Errorf("user %q: name, accessKeyID and secretAccessKey are needed", user.Name)
	}
	policies, err := parseAll(user.Policies)
	if err != nil {
		return fmt.Errorf("user %s: %w", user.Name, err)
	}
	s.identities[user.AccessKeyID] = &identity{
		arn: fmt.Sprintf("arn:aws:iam::%s:user/%s", s.options.AccountID, user.Name), userID: "AIDASIM" + user.Name,
		secret: user.SecretAccessKey, admin: len(user.Policies) == 0, policies: policies,
	}
	return nil
}

// AddRole adds a role, or replaces the one with that name; sessions that were
// given before keep the policies of then. It is forgotten as AddUser says.
func (s *Sim) AddRole(r Role) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addRole(r)
}

func (s *Sim) addRole(r Role) error {
	if r.Name == "" {
		return errors.New("role: name is needed")
	}
	trust, err := evaluation.Parse(r.Trust)
	if err != nil {
		return fmt.Errorf("role %s: trust: %w", r.Name, err)
	}
	policies, err := parseAll(r.Policies)
	if err != nil {
		return fmt.Errorf("role %s: %w", r.Name, err)
	}
	s.roles[s.roleARN(r.Account, r.Name)] = &role{Role: r, trust: trust, policies: policies}
	return nil
}

// AddIssuer adds an issuer of web identities, or replaces the one with that URL.
// It is forgotten as AddUser says.
func (s *Sim) AddIssuer(issuer Issuer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addIssuer(issuer)
}

func (s *Sim) addIssuer(issuer Issuer) error {
	keys, err := webid.NewIssuer(issuer.URL, issuer.JWKSURL, issuer.CA)
	if err != nil {
		return err
	}
	s.issuers[issuer.URL] = trustedIssuer{Issuer: issuer, keys: keys}
	return nil
}

// roleARN is the ARN of a role in an account, "" being the simulator's own.
func (s *Sim) roleARN(account, name string) string {
	return fmt.Sprintf("arn:aws:iam::%s:role/%s", cmp.Or(account, s.options.AccountID), name)
}

func parseAll(documents []json.RawMessage) ([]evaluation.Policy, error) {
	var policies []evaluation.Policy
	for i, document := range documents {
		policy, err := evaluation.Parse(document)
		if err != nil {
			return nil, fmt.Errorf("policies[%d]: %w", i, err)
		}
		policies = append(policies, policy)
	}
	return policies, nil
}

// credential is what the journal keeps of temporary credentials.
type credential struct {
	Account, Role, Session, Secret, Token string
	Expires                               time.Time
	Transitive                            map[string]string `json:",omitempty"`
}

func (s *Sim) loadCredential(r journal.Record) error {
	var kept credential
	if err := json.Unmarshal(r.Value, &kept); err != nil {
		return err
	}
	s.accept(r.ID, kept)
	return nil
}

// accept makes temporary credentials valid. A role that is gone from the options
// takes its credentials with it.
func (s *Sim) accept(accessKeyID string, kept credential) {
	held, ok := s.roles[s.roleARN(kept.Account, kept.Role)]
	if !ok {
		return
	}
	s.identities[accessKeyID] = &identity{
		arn:     fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", cmp.Or(kept.Account, s.options.AccountID), kept.Role, kept.Session),
		account: kept.Account, role: s.roleARN(kept.Account, kept.Role),
		userID: "AROASIM" + kept.Role + ":" + kept.Session, secret: kept.Secret, policies: held.policies,
		token: kept.Token, expires: kept.Expires, transitive: kept.Transitive,
	}
}
