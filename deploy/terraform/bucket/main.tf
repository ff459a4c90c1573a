# The bucket of backups: versioned, encrypted under a KMS key, closed to the public, reached by TLS
# only. With replica_bucket a second one in another Region, which gets a copy of everything.

locals {
  key_arn = var.kms_key_arn == null ? aws_kms_key.backups[0].arn : var.kms_key_arn
}

resource "aws_kms_key" "backups" {
  count                   = var.kms_key_arn == null ? 1 : 0
  description             = "Backups of Lifeboat in ${var.bucket}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = var.tags

  lifecycle {
    prevent_destroy = true # without the key no backup can be read
  }
}

resource "aws_s3_bucket" "backups" {
  bucket              = var.bucket
  object_lock_enabled = var.object_lock != null
  tags                = var.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "backups" {
  bucket = aws_s3_bucket.backups.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "backups" {
  bucket = aws_s3_bucket.backups.id
  rule {
    bucket_key_enabled = true # one request to KMS for many objects
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = local.key_arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "backups" {
  bucket                  = aws_s3_bucket.backups.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "backups" {
  bucket = aws_s3_bucket.backups.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_policy" "backups" {
  bucket     = aws_s3_bucket.backups.id
  policy     = jsonencode({ Version = "2012-10-17", Statement = local.transport[aws_s3_bucket.backups.arn] })
  depends_on = [aws_s3_bucket_public_access_block.backups]
}

locals {
  buckets = concat([aws_s3_bucket.backups.arn], aws_s3_bucket.replica[*].arn)

  # What both buckets deny to everybody.
  transport = { for arn in local.buckets : arn => [
    {
      Sid       = "DenyInsecureTransport"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [arn, "${arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    },
    {
      Sid       = "DenyOldTLS"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [arn, "${arn}/*"]
      Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
    },
  ] }
}

# Lifeboat deletes what has expired itself: no rule takes a current object away. Rules are bound to
# the prefix, so that what else is in the bucket keeps its own.
resource "aws_s3_bucket_lifecycle_configuration" "backups" {
  bucket = aws_s3_bucket.backups.id

  rule {
    id     = "lifeboat-noncurrent"
    status = "Enabled"
    filter {
      prefix = "${var.prefix}/"
    }
    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }
    expiration {
      expired_object_delete_marker = true
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = var.glacier_instant_retrieval_days[*]
    content {
      id     = "lifeboat-glacier-instant-retrieval"
      status = "Enabled"
      filter {
        and {
          prefix                   = "${var.prefix}/backups/"
          object_size_greater_than = 131072 # smaller ones are billed as 128 KiB
        }
      }
      transition {
        days          = rule.value
        storage_class = "GLACIER_IR"
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.backups]
}

resource "aws_s3_bucket_object_lock_configuration" "backups" {
  count  = var.object_lock == null ? 0 : 1
  bucket = aws_s3_bucket.backups.id
  rule {
    default_retention {
      mode = var.object_lock.mode
      days = var.object_lock.days
    }
  }
  depends_on = [aws_s3_bucket_versioning.backups]
}
