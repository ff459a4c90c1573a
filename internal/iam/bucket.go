package iam

// bucket is one storage location.
type bucket struct {
	arn    string // of the bucket
	prefix string // without slashes at its ends; "" for the whole bucket
	key    string // of the objects' encryption; "" for S3's own
}

// below is the objects below a part of the prefix; "" for all of it.
func (b bucket) below(part string) string {
	path := b.arn + "/"
	if b.prefix != "" {
		path += b.prefix + "/"
	}
	return path + part + "*"
}

// list lists names below the prefix, and unfinished uploads, for which S3 knows no such condition.
func (b bucket) list() []Statement {
	var within condition
	if b.prefix != "" {
		within = like("s3:prefix", b.prefix+"/*")
	}
	return []Statement{
		allow("ListBackups", []string{"s3:ListBucket"}, []string{b.arn}, within),
		allow("ListUploads", []string{"s3:ListBucketMultipartUploads"}, []string{b.arn}, nil),
	}
}

// read reads objects, and what locks them.
func (b bucket) read() Statement {
	return allow("ReadBackups", []string{"s3:GetObject", "s3:GetObjectLegalHold", "s3:GetObjectRetention"}, []string{b.below("")}, nil)
}

// write writes and deletes objects below the parts. What a run has staged it deletes itself.
func (b bucket) write(parts ...string) Statement {
	var resources []string
	for _, part := range parts {
		resources = append(resources, b.below(part))
	}
	return allow("WriteBackups", []string{
		"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject",
	}, resources, nil)
}

// useKey has S3 encrypt and decrypt under a key.
func (b bucket) useKey() []Statement {
	if b.key == "" {
		return nil
	}
	return []Statement{allow("UseKeyOfBucket", []string{"kms:Decrypt", "kms:GenerateDataKey"}, []string{b.key}, nil)}
}

// inspect reads the settings that `lifeboat doctor` asks for.
func (b bucket) inspect() Statement {
	return allow("InspectBucket", []string{
		"s3:GetBucketObjectLockConfiguration", "s3:GetBucketPolicy", "s3:GetBucketVersioning",
		"s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration",
	}, []string{b.arn}, nil)
}
