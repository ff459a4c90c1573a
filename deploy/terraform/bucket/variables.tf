variable "bucket" {
  description = "Name of the bucket."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket is no name of a bucket."
  }
}

variable "prefix" {
  description = "Prefix of the storage location, without slashes at its ends. Lifecycle rules and replication are bound to it."
  type        = string
  validation {
    condition     = can(regex("^[^/*?$\"\\\\]([^*?$\"\\\\]*[^/*?$\"\\\\])?$", var.prefix))
    error_message = "prefix is not empty, has no slash at its ends, and none of the characters * ? $ \" \\."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the objects. Default: a key of the module's own, with yearly rotation."
  type        = string
  default     = null
}

variable "noncurrent_days" {
  description = "Days that what was overwritten or deleted can be had again."
  type        = number
  default     = 180
  validation {
    condition     = var.noncurrent_days >= 1 && floor(var.noncurrent_days) == var.noncurrent_days
    error_message = "noncurrent_days is a whole number of at least 1."
  }
}

variable "glacier_instant_retrieval_days" {
  description = <<-E
    Age in days at which tarballs move to Glacier Instant Retrieval, 30 or more. Off by default:
    verification and rehearsals read backups in turn, and each read is paid for there; an object
    costs 90 days, however soon its backup expires. It pays where backups are kept for half a year
    or longer and are seldom read.
  E
  type        = number
  default     = null
  validation {
    condition     = var.glacier_instant_retrieval_days == null ? true : var.glacier_instant_retrieval_days >= 30
    error_message = "glacier_instant_retrieval_days is 30 or more, or null."
  }
}

variable "object_lock" {
  description = <<-E
    Object Lock: for so many days no version can be deleted; mode COMPLIANCE: by nobody, GOVERNANCE:
    by nobody without s3:BypassGovernanceRetention. It holds for every file below the bucket, also
    for those that a run only stages: choose days below the life of the shortest-lived backups, or
    deletions are refused until then. It cannot be switched off again.
  E
  type = object({
    days = number
    mode = optional(string, "GOVERNANCE")
  })
  default = null
  validation {
    condition     = var.object_lock == null ? true : contains(["GOVERNANCE", "COMPLIANCE"], var.object_lock.mode) && var.object_lock.days >= 1
    error_message = "object_lock.mode is GOVERNANCE or COMPLIANCE, object_lock.days at least 1."
  }
}

variable "replica_bucket" {
  description = "Name of a bucket that is made in the Region of the provider aws.replica and gets a copy of everything below the prefix. Default: none."
  type        = string
  default     = null
  validation {
    condition     = var.replica_bucket == null ? true : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.replica_bucket))
    error_message = "replica_bucket is no name of a bucket."
  }
}

variable "tags" {
  description = "Tags of all that is made."
  type        = map(string)
  default     = {}
}
