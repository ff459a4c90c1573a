package ebssim

import (
	"errors"
	"net/http"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/sigv4"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

// maxSkew is how far a request's time may be from the server's.
const maxSkew = 5 * time.Minute

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
