variable "role" {
  description = "What the worker is for: all, backup, restore, collect, or volumes (deploy/iam/README.md)."
  type        = string
  default     = "all"
  validation {
    condition     = contains(["all", "backup", "restore", "collect", "volumes"], var.role)
    error_message = "role is one of all, backup, restore, collect, volumes."
  }
}

variable "partition" {
  description = "aws, aws-cn or aws-us-gov."
  type        = string
  default     = "aws"
}

variable "bucket" {
  description = "Name of the storage location's bucket."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket is no name of a bucket."
  }
}

variable "prefix" {
  description = "Prefix of the storage location, without slashes at its ends: nothing outside of it is allowed."
  type        = string
  validation {
    condition     = can(regex("^[^/*?$\"\\\\]([^*?$\"\\\\]*[^/*?$\"\\\\])?$", var.prefix))
    error_message = "prefix is not empty, has no slash at its ends, and none of the characters * ? $ \" \\."
  }
}

variable "bucket_key_arn" {
  description = "ARN of the KMS key that encrypts the bucket's objects; null where S3's own does."
  type        = string
  default     = null
  validation {
    condition     = var.bucket_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.bucket_key_arn))
    error_message = "bucket_key_arn is the ARN of a key; an alias is not enough, policies name keys."
  }
}

variable "volume_key_arns" {
  description = "ARNs of the customer managed KMS keys of volumes."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for arn in var.volume_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", arn))])
    error_message = "volume_key_arns are ARNs of keys; an alias is not enough, policies name keys."
  }
}

variable "shared_by" {
  description = "Accounts whose shared snapshots are restored."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for account in var.shared_by : can(regex("^[0-9]{12}$", account))])
    error_message = "shared_by are accounts of 12 digits."
  }
}

variable "assume" {
  description = "ARNs of the roles that storage and snapshot locations name (assumeRoleArn)."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for arn in var.assume : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[0-9A-Za-z_+=,.@/-]{1,512}$", arn))])
    error_message = "assume are ARNs of roles, without wildcards."
  }
}

variable "inspect" {
  description = "Let `lifeboat doctor` read the settings of the bucket and of the cluster."
  type        = bool
  default     = true
}

variable "identity" {
  description = "How pods get the role: pod-identity or irsa."
  type        = string
  default     = "pod-identity"
  validation {
    condition     = contains(["pod-identity", "irsa"], var.identity)
    error_message = "identity is pod-identity or irsa."
  }
}

variable "account" {
  description = "Account of the role, 12 digits; for irsa."
  type        = string
  default     = ""
}

variable "issuer" {
  description = "The cluster's OIDC issuer, an https URL; for irsa."
  type        = string
  default     = ""
  validation {
    condition     = var.issuer == "" || can(regex("^https://[^*?$ \"\\\\]+$", var.issuer))
    error_message = "issuer is an https URL; `aws eks describe-cluster --query cluster.identity.oidc.issuer` has it."
  }
}

variable "cluster" {
  description = "Name of the EKS cluster; for pod-identity."
  type        = string
  default     = ""
}

variable "namespace" {
  description = "Namespace of the worker."
  type        = string
  default     = "lifeboat"
  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", var.namespace))
    error_message = "namespace is no name in Kubernetes."
  }
}

variable "service_account" {
  description = "ServiceAccount of the worker."
  type        = string
  default     = "lifeboat-worker"
  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", var.service_account))
    error_message = "service_account is no name in Kubernetes."
  }
}
