package ebssim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/iam"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/journal"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/sigv4"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/webid"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

// maxSkew is how far a request's time may be from the server's.
const maxSkew = 5 * time.Minute

// identity is who may sign requests with an access key.
type identity struct {
	arn, userID, secret string
	admin               bool
	policies            []iam.Policy
	// token and expires are of temporary credentials only.
	token   string
	expires time.Time
}

// role is what a web identity can become.
type role struct {
	Role
	trust    iam.Policy
	policies []iam.Policy
}

func (s *Sim) loadIdentities() error {
	for _, user := range s.options.Users {
		policies, err := parseAll(user.Policies)
		if err != nil {
			return fmt.Errorf("options.users: %s: %w", user.Name, err)
		}
		s.identities[user.AccessKeyID] = &identity{
			arn: fmt.Sprintf("arn:aws:iam::%s:user/%s", s.options.AccountID, user.Name), userID: "AIDASIM" + user.Name,
			secret: user.SecretAccessKey, admin: len(user.Policies) == 0, policies: policies,
		}
	}
	for _, r := range s.options.Roles {
		trust, err := iam.Parse(r.Trust)
		if err != nil {
			return fmt.Errorf("options.roles: %s: trust: %w", r.Name, err)
		}
		policies, err := parseAll(r.Policies)
		if err != nil {
			return fmt.Errorf("options.roles: %s: %w", r.Name, err)
		}
		s.roles[s.roleARN(r.Name)] = &role{Role: r, trust: trust, policies: policies}
	}
	for _, issuer := range s.options.Issuers {
		known, err := webid.NewIssuer(issuer.URL, issuer.JWKSURL, issuer.CA)
		if err != nil {
			return fmt.Errorf("options.issuers: %w", err)
		}
		s.tokens[issuer.URL] = known
	}
	return nil
}

func (s *Sim) roleARN(name string) string {
	return fmt.Sprintf("arn:aws:iam::%s:role/%s", s.options.AccountID, name)
}

func parseAll(documents []json.RawMessage) ([]iam.Policy, error) {
	var policies []iam.Policy
	for i, document := range documents {
		policy, err := iam.Parse(document)
		if err != nil {
			return nil, fmt.Errorf("policies[%d]: %w", i, err)
		}
		policies = append(policies, policy)
	}
	return policies, nil
}

// authenticate finds out who signed a request.
func (s *Sim) authenticate(c *call, r *http.Request, body []byte) error {
	signed, err := sigv4.Parse(r)
	if errors.Is(err, sigv4.ErrMissing) {
		return refuse(c, "MissingAuthenticationToken", "MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	if err != nil {
		return refuse(c, "AuthFailure", "IncompleteSignature", err.Error())
	}
	who, ok := s.identities[signed.AccessKeyID]
	if !ok || who.token != signed.Token {
		return refuse(c, "AuthFailure", "InvalidClientTokenId", "AWS was not able to validate the provided access credentials")
	}
	if err := signed.Verify(r, body, who.secret); err != nil {
		return refuse(c, "AuthFailure", "SignatureDoesNotMatch", "AWS was not able to validate the provided access credentials")
	}
	if skew := time.Since(signed.Time); skew > maxSkew || skew < -maxSkew {
		return wire.Invalid("RequestExpired", "Request has expired.")
	}
	if !who.expires.IsZero() && !c.now.Before(who.expires) {
		return refuse(c, "RequestExpired", "ExpiredToken", "The security token included in the request is expired")
	}
	c.who = who
	return nil
}

// refuse has another code for EC2 than for STS, as AWS does.
func refuse(c *call, ec2Code, stsCode, message string) error {
	if c.sts {
		return &wire.Error{Status: http.StatusForbidden, Code: stsCode, Message: message}
	}
	status := http.StatusUnauthorized
	if ec2Code == "RequestExpired" {
		status = http.StatusBadRequest
	}
	return &wire.Error{Status: status, Code: ec2Code, Message: message}
}

// credential is what the journal keeps of temporary credentials.
type credential struct {
	Role, Session, Secret, Token string
	Expires                      time.Time
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
	held, ok := s.roles[s.roleARN(kept.Role)]
	if !ok {
		return
	}
	s.identities[accessKeyID] = &identity{
		arn:    fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", s.options.AccountID, kept.Role, kept.Session),
		userID: "AROASIM" + kept.Role + ":" + kept.Session, secret: kept.Secret, policies: held.policies,
		token: kept.Token, expires: kept.Expires,
	}
}
