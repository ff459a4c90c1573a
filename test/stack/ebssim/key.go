package ebssim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/iam/evaluation"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

// kmsTarget begins the header that names an action of KMS.
const kmsTarget = "TrentService."

// SetKeys replaces the keys that may be used beside the account's own for EBS. EC2 agrees to make a
// volume with any other, a disabled one too, and the volume vanishes.
func (s *Sim) SetKeys(keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = map[string]bool{s.keyARN(""): true}
	for _, key := range keys {
		s.keys[s.keyARN(key)] = true
	}
}

// keyARN is the ARN of a key id, an alias or an ARN; of "" the account's own key.
func (s *Sim) keyARN(key string) string {
	if strings.HasPrefix(key, "arn:") {
		return key
	}
	if key == "" {
		key = "alias/aws/ebs"
	}
	if !strings.HasPrefix(key, "alias/") {
		key = "key/" + key
	}
	return fmt.Sprintf("arn:aws:kms:%s:%s:%s", s.options.Region, s.options.AccountID, key)
}

// mayUseKey tells whether a key of KMS is there and enabled, and the caller may have EBS use it. EC2
// asks after it has agreed to make the volume, and then drops it. The account's own key, aws/ebs, is
// everybody's.
func (s *Sim) mayUseKey(c *call, key string) bool {
	if key == "" || key == s.keyARN("") {
		return true
	}
	if !s.keys[key] {
		return false
	}
	for _, action := range []string{"CreateGrant", "Decrypt", "DescribeKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"} {
		keys := s.viaEC2()
		if action == "CreateGrant" {
			keys["kms:GrantIsForAWSResource"] = "true"
		}
		if s.permitKey(c, action, key, keys) != nil {
			return false
		}
	}
	return true
}

// viaEC2 are the condition keys of what EC2 and EBS ask KMS for a caller.
func (s *Sim) viaEC2() map[string]string {
	return map[string]string{"kms:ViaService": "ec2." + s.options.Region + ".amazonaws.com"}
}

// permitDecryption judges whether the caller may have EBS decrypt what is under a key. The account's own
// key, aws/ebs, is everybody's.
func (s *Sim) permitDecryption(c *call, key string) error {
	if key == "" || key == s.keyARN("") {
		return nil
	}
	err := s.permitKey(c, "Decrypt", key, s.viaEC2())
	if err != nil {
		return &wire.Error{Status: http.StatusForbidden, Code: "AccessDeniedException", Message: wire.AsError(err).Message}
	}
	return nil
}

// permitKey judges one action on a key.
func (s *Sim) permitKey(c *call, action, key string, keys map[string]string) error {
	if c.who.admin {
		return nil
	}
	r := evaluation.Request{Action: "kms:" + action, Resource: key}
	r.Set("aws:PrincipalArn", c.who.arn)
	for name, value := range keys {
		r.Set(name, value)
	}
	if evaluation.Evaluate(c.who.policies, r) == evaluation.Allowed {
		return nil
	}
	c.denied = fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", c.who.arn, r.Action, key)
	return &wire.Error{Status: http.StatusBadRequest, Code: "AccessDeniedException", Message: c.denied}
}

// kmsParams are the texts of a request in JSON, and its flags as texts.
func kmsParams(body []byte) wire.Params {
	var in map[string]any
	_ = json.Unmarshal(body, &in) // one that is none lacks all that is needed
	out := wire.Params{}
	for name, value := range in {
		out[name] = []string{fmt.Sprint(value)}
	}
	return out
}

// lookUpKMS finds the actions that tell whether a key can be used. What is encrypted under one is
// its ARN. KMS looks who asks before it says that a key is not there.
func lookUpKMS(c *call) (action, error) {
	needs, known := map[string][]string{
		"DescribeKey": {"DescribeKey"}, "GenerateDataKeyWithoutPlaintext": {"GenerateDataKeyWithoutPlaintext"}, "Decrypt": {"Decrypt"}, "ReEncrypt": {"ReEncryptFrom", "ReEncryptTo"},
	}[c.action]
	if !known {
		return nil, wire.Invalid("UnknownOperationException", "The action %s is not simulated.", c.action)
	}
	return func(s *Sim, c *call) (any, error) {
		key := s.keyARN(c.params.Get("KeyId") + c.params.Get("DestinationKeyId"))
		for _, action := range needs {
			if err := s.permitKey(c, action, key, nil); err != nil {
				return nil, err
			}
		}
		if !s.keys[key] {
			return nil, &wire.Error{Status: http.StatusBadRequest, Code: "NotFoundException", Message: fmt.Sprintf("Key '%s' does not exist", key)}
		}
		if c.params.Get("DryRun") == "true" {
			return nil, wire.Invalid("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
		}
		return map[string]any{"KeyMetadata": map[string]string{"KeyId": key, "KeyState": "Enabled"}, "CiphertextBlob": []byte(key)}, nil
	}, nil
}
