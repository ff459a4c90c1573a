# The copy in the second Region. It is encrypted under a key of that Region, and as long kept.

locals {
  replicas = var.replica_bucket == null ? 0 : 1
}

resource "aws_kms_key" "replica" {
  count                   = local.replicas
  provider                = aws.replica
  description             = "Replica of the backups of Lifeboat in ${var.bucket}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = var.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket" "replica" {
  count               = local.replicas
  provider            = aws.replica
  bucket              = var.replica_bucket
  object_lock_enabled = var.object_lock != null # S3 replicates locked objects to such buckets only
  tags                = var.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "replica" {
  count    = local.replicas
  provider = aws.replica
  bucket   = aws_s3_bucket.replica[0].id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "replica" {
  count    = local.replicas
  provider = aws.replica
  bucket   = aws_s3_bucket.replica[0].id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.replica[0].arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "replica" {
  count                   = local.replicas
  provider                = aws.replica
  bucket                  = aws_s3_bucket.replica[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "replica" {
  count    = local.replicas
  provider = aws.replica
  bucket   = aws_s3_bucket.replica[0].id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_policy" "replica" {
  count      = local.replicas
  provider   = aws.replica
  bucket     = aws_s3_bucket.replica[0].id
  policy     = jsonencode({ Version = "2012-10-17", Statement = local.transport[aws_s3_bucket.replica[0].arn] })
  depends_on = [aws_s3_bucket_public_access_block.replica]
}

resource "aws_s3_bucket_lifecycle_configuration" "replica" {
  count    = local.replicas
  provider = aws.replica
  bucket   = aws_s3_bucket.replica[0].id
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
  depends_on = [aws_s3_bucket_versioning.replica]
}

resource "aws_s3_bucket_object_lock_configuration" "replica" {
  count    = var.object_lock == null ? 0 : local.replicas
  provider = aws.replica
  bucket   = aws_s3_bucket.replica[0].id
  rule {
    default_retention {
      mode = var.object_lock.mode
      days = var.object_lock.days
    }
  }
  depends_on = [aws_s3_bucket_versioning.replica]
}

# The role that S3 takes to copy.
resource "aws_iam_role" "replication" {
  count       = local.replicas
  name_prefix = "lifeboat-replication-"
  tags        = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Replication"
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "replication" {
  count = local.replicas
  name  = "replication"
  role  = aws_iam_role.replication[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadBucket"
        Effect   = "Allow"
        Action   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
        Resource = aws_s3_bucket.backups.arn
      },
      {
        Sid    = "ReadVersions"
        Effect = "Allow"
        Action = [
          "s3:GetObjectLegalHold", "s3:GetObjectRetention", "s3:GetObjectVersionAcl",
          "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging",
        ]
        Resource = "${aws_s3_bucket.backups.arn}/${var.prefix}/*"
      },
      {
        Sid      = "WriteReplica"
        Effect   = "Allow"
        Action   = ["s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"]
        Resource = "${aws_s3_bucket.replica[0].arn}/${var.prefix}/*"
      },
      {
        Sid      = "ReadKey"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = local.key_arn
      },
      {
        Sid      = "WriteKey"
        Effect   = "Allow"
        Action   = ["kms:Encrypt", "kms:GenerateDataKey"]
        Resource = aws_kms_key.replica[0].arn
      },
    ]
  })
}

resource "aws_s3_bucket_replication_configuration" "backups" {
  count  = local.replicas
  bucket = aws_s3_bucket.backups.id
  role   = aws_iam_role.replication[0].arn

  rule {
    id       = "lifeboat"
    status   = "Enabled"
    priority = 0
    filter {
      prefix = "${var.prefix}/"
    }
    # What Lifeboat deletes is gone there too, and as here can be had again until the version expires.
    delete_marker_replication {
      status = "Enabled"
    }
    source_selection_criteria {
      sse_kms_encrypted_objects {
        status = "Enabled"
      }
    }
    destination {
      bucket        = aws_s3_bucket.replica[0].arn
      storage_class = "STANDARD"
      encryption_configuration {
        replica_kms_key_id = aws_kms_key.replica[0].arn
      }
    }
  }

  depends_on = [
    aws_iam_role_policy.replication,
    aws_s3_bucket_versioning.backups,
    aws_s3_bucket_versioning.replica,
  ]
}
