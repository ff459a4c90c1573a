package ebssim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/iam/evaluation"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/webid"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

const (
	stsAudience    = "sts.amazonaws.com"
	minDuration    = 900   // seconds a session lasts at least
	maxDuration    = 43200 // and at most
	normalDuration = 3600
)

func (s *Sim) getCallerIdentity(c *call) (any, error) {
	return struct {
		ARN     string `xml:"Arn"`
		UserID  string `xml:"UserId"`
		Account string `xml:"Account"`
	}{c.who.arn, c.who.userID, cmp.Or(c.who.account, s.options.AccountID)}, nil
}

type assumedXML struct {
	Subject     string `xml:"SubjectFromWebIdentityToken"`
	Audience    string `xml:"Audience"`
	RoleARN     string `xml:"AssumedRoleUser>Arn"`
	RoleID      string `xml:"AssumedRoleUser>AssumedRoleId"`
	AccessKeyID string `xml:"Credentials>AccessKeyId"`
	Secret      string `xml:"Credentials>SecretAccessKey"`
	Token       string `xml:"Credentials>SessionToken"`
	Expires     string `xml:"Credentials>Expiration"`
	Provider    string `xml:"Provider"`
}

// assumeRole needs no signature: the token says who it is. Keys may have to be
// fetched from the issuer, so the lock is not held meanwhile.
func (s *Sim) assumeRole(ctx context.Context, c *call) (any, error) {
	c.now = s.clock.Now()
	claims, issuer, err := s.verifyToken(ctx, c, c.params.Get("WebIdentityToken"))
	if err != nil {
		return nil, err
	}
	if !claims.For(issuer.audiences()...) {
		return nil, wire.Invalid("InvalidIdentityToken", "Incorrect token audience")
	}
	kept, err := newSession(c)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	held, err := s.trusting(c, claims, issuer)
	if err != nil {
		return nil, err
	}
	return s.session(c, held, claims, issuer, kept)
}

// newSession are the credentials that a call asks for, of no role yet.
func newSession(c *call) (credential, error) {
	seconds, err := c.params.Int("DurationSeconds")
	if err != nil {
		return credential{}, err
	}
	session := c.params.Get("RoleSessionName")
	if session == "" {
		return credential{}, wire.Invalid("ValidationError", "1 validation error detected: Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null")
	}
	lasts := normalDuration
	if seconds != nil {
		lasts = *seconds
	}
	if lasts < minDuration || lasts > maxDuration {
		return credential{}, wire.Invalid("ValidationError", "1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint", lasts)
	}
	return credential{Session: session, Secret: newSecret(), Token: newSecret() + newSecret(), Expires: c.now.Add(time.Duration(lasts) * time.Second)}, nil
}

// verifyToken checks all of a token but whom it is meant for.
func (s *Sim) verifyToken(ctx context.Context, c *call, token string) (webid.Claims, Issuer, error) {
	unverified, err := webid.Peek(token)
	if err != nil {
		return webid.Claims{}, Issuer{}, wire.Invalid("InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	}
	known, ok := s.issuer(unverified.Issuer)
	if !ok {
		return webid.Claims{}, Issuer{}, wire.Invalid("InvalidIdentityToken", "No OpenIDConnect provider found in your account for %s", unverified.Issuer)
	}
	claims, err := known.keys.Verify(ctx, token, c.now)
	switch {
	case errors.Is(err, webid.ErrExpired):
		return claims, Issuer{}, wire.Invalid("ExpiredTokenException", "Token expired: %s", err)
	case errors.Is(err, webid.ErrFetch):
		return claims, Issuer{}, wire.Invalid("IDPCommunicationError", "%s", err)
	case err != nil:
		return claims, Issuer{}, wire.Invalid("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider, or the token is invalid: %s", err)
	}
	return claims, known.Issuer, nil
}

func (s *Sim) issuer(url string) (trustedIssuer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.issuers[url]
	return known, ok
}

func (i Issuer) audiences() []string {
	if len(i.Audiences) == 0 {
		return []string{stsAudience}
	}
	return i.Audiences
}

// trusting is the role that is asked for, if its trust policy lets the claims in.
func (s *Sim) trusting(c *call, claims webid.Claims, issuer Issuer) (*role, error) {
	arn := c.params.Get("RoleArn")
	held, ok := s.roles[arn]
	provider := strings.TrimPrefix(issuer.URL, "https://")
	r := evaluation.Request{Action: "sts:AssumeRoleWithWebIdentity", Resource: arn}
	r.Set(provider+":sub", claims.Subject)
	r.Set(provider+":aud", claims.Audience...)
	if !ok || evaluation.Evaluate([]evaluation.Policy{held.trust}, r) != evaluation.Allowed {
		return nil, &wire.Error{
			Status: http.StatusForbidden, Code: "AccessDenied",
			Message: "Not authorized to perform sts:AssumeRoleWithWebIdentity",
		}
	}
	return held, nil
}

func (s *Sim) session(c *call, held *role, claims webid.Claims, issuer Issuer, kept credential) (any, error) {
	out, err := s.begin(c, held, kept)
	out.Subject, out.Audience = claims.Subject, strings.Join(claims.Audience, ",")
	out.Provider = fmt.Sprintf("arn:aws:iam::%s:oidc-provider/%s", s.options.AccountID, strings.TrimPrefix(issuer.URL, "https://"))
	return out, err
}

// begin gives credentials of a role.
func (s *Sim) begin(c *call, held *role, kept credential) (assumedXML, error) {
	id := "ASIA" + strings.ToUpper(newSecret()[:16])
	kept.Account, kept.Role = held.Account, held.Name
	if err := s.journal.Put(kindCredential, id, kept); err != nil {
		return assumedXML{}, err
	}
	s.accept(id, kept)
	who := s.identities[id]
	c.who = who
	return assumedXML{RoleARN: who.arn, RoleID: who.userID, AccessKeyID: id, Secret: kept.Secret, Token: kept.Token, Expires: wire.Time(kept.Expires)}, nil
}
