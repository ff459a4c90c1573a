package ebs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// whyUnusable names what keeps EC2 from using a key of KMS in the caller's name, after it has been
// seen to fail: the state of the key, or the rights to it that the caller lacks. All but
// kms:CreateGrant are tried. That one a good policy allows for AWS's own requests only
// (kms:GrantIsForAWSResource), so it is what is left where nothing else is missing.
func (l *Location) whyUnusable(ctx context.Context, key string) string {
	k := keyCheck{kms: l.kms, key: aws.String(key)}
	k.ask(ctx)
	switch {
	case k.failed != nil:
		return fmt.Sprintf("missing may be kms:CreateGrant, kms:Decrypt, kms:DescribeKey, kms:GenerateDataKeyWithoutPlaintext or kms:ReEncrypt* of the key %s (%v)", key, k.failed)
	case k.state != "":
		return fmt.Sprintf("the key %s is %s", key, k.state)
	case len(k.missing) == 0:
		k.missing = []string{"kms:CreateGrant"}
	}
	return fmt.Sprintf("missing is %s of the key %s", strings.Join(k.missing, ", "), key)
}

// keyCheck is what KMS says of a key.
type keyCheck struct {
	kms     *kms.Client
	key     *string
	state   types.KeyState // "" is enabled, or not told
	missing []string
	failed  error // why it is not known what is missing
}

// ask changes nothing: KMS keeps no data keys, and the rest are dry runs.
func (k *keyCheck) ask(ctx context.Context) {
	seen, err := k.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: k.key})
	if k.note("kms:DescribeKey", err); err == nil && seen.KeyMetadata != nil && seen.KeyMetadata.KeyState != types.KeyStateEnabled {
		k.state = seen.KeyMetadata.KeyState
		return
	}
	made, err := k.kms.GenerateDataKeyWithoutPlaintext(ctx, &kms.GenerateDataKeyWithoutPlaintextInput{KeyId: k.key, KeySpec: types.DataKeySpecAes256})
	if k.note("kms:GenerateDataKeyWithoutPlaintext", err); err != nil {
		return // there is nothing to decrypt
	}
	_, err = k.kms.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: made.CiphertextBlob, KeyId: k.key, DryRun: aws.Bool(true)})
	k.note("kms:Decrypt", err)
	_, err = k.kms.ReEncrypt(ctx, &kms.ReEncryptInput{CiphertextBlob: made.CiphertextBlob, DestinationKeyId: k.key, DryRun: aws.Bool(true)})
	k.note("kms:ReEncrypt*", err)
}

// note takes what an action was answered with.
func (k *keyCheck) note(action string, err error) {
	var dry *types.DryRunOperationException // it would have been carried out
	switch {
	case err == nil, errors.As(err, &dry):
	case awserr.Code(err) == "AccessDeniedException":
		k.missing = append(k.missing, action)
	case k.failed == nil:
		k.failed = classify(action, aws.ToString(k.key), err)
	}
}
