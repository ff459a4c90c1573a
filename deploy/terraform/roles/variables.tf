variable "name" {
  description = "Beginning of the roles' names."
  type        = string
  default     = "lifeboat"
}

variable "cluster" {
  description = "Name of the EKS cluster."
  type        = string
  validation {
    condition     = can(regex("^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$", var.cluster))
    error_message = "cluster is no name of an EKS cluster."
  }
}

variable "workers" {
  description = <<-E
    Workers by what they are for: all, backup, restore or collect (deploy/iam/README.md). A cluster
    needs one that is for all. Each has a ServiceAccount of its own, and a role that only it can take.
  E
  type = map(object({
    namespace       = optional(string, "lifeboat")
    service_account = optional(string, "lifeboat-worker")
  }))
  default = { all = {} }
  validation {
    condition     = length(var.workers) > 0 && alltrue([for role in keys(var.workers) : contains(["all", "backup", "restore", "collect"], role)])
    error_message = "workers has one or more of the keys all, backup, restore, collect."
  }
  validation {
    condition     = length(distinct([for w in values(var.workers) : "${w.namespace}/${w.service_account}"])) == length(var.workers)
    error_message = "Two workers with one ServiceAccount would have one role: give each its own."
  }
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

variable "issuer" {
  description = "The cluster's OIDC issuer, an https URL, for irsa. IAM has to know it as a provider already."
  type        = string
  default     = ""
}

variable "bucket" {
  description = "Name of the storage location's bucket."
  type        = string
}

variable "prefix" {
  description = "Prefix of the storage location."
  type        = string
}

variable "bucket_key_arn" {
  description = "ARN of the KMS key that encrypts the bucket's objects; null where S3's own does."
  type        = string
  default     = null
}

variable "volume_key_arns" {
  description = "ARNs of the customer managed KMS keys of volumes."
  type        = list(string)
  default     = []
}

variable "shared_by" {
  description = "Accounts whose shared snapshots are restored."
  type        = list(string)
  default     = []
}

variable "assume" {
  description = "ARNs of the roles that storage and snapshot locations name (assumeRoleArn)."
  type        = list(string)
  default     = []
}

variable "inspect" {
  description = "Let `lifeboat doctor` read the settings of the bucket and of the cluster."
  type        = bool
  default     = true
}

variable "permissions_boundary" {
  description = "ARN of a permissions boundary of the roles."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of all that is made."
  type        = map(string)
  default     = {}
}
