output "bucket" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.backups.id
}

output "prefix" {
  description = "Prefix of the storage location."
  value       = var.prefix
}

output "kms_key_arn" {
  description = "ARN of the key that encrypts the objects."
  value       = local.key_arn
}

output "replica_bucket" {
  description = "Name of the bucket in the second Region, null without one."
  value       = one(aws_s3_bucket.replica[*].id)
}

output "replica_kms_key_arn" {
  description = "ARN of the key of the bucket in the second Region, null without one."
  value       = one(aws_kms_key.replica[*].arn)
}
