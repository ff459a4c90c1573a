# Bucket, key, replica in a second Region, and the role of the worker of one EKS cluster.
#
#   tofu init && tofu apply
#   tofu output -raw helm_values > values.yaml      # then add how to reach Temporal
#   helm upgrade --install lifeboat ../../../helm/lifeboat --namespace lifeboat --create-namespace --wait -f values.yaml

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.90, < 7.0"
    }
  }
}

variable "cluster" {
  description = "Name of the EKS cluster."
  type        = string
  default     = "production"
}

variable "region" {
  description = "Region of the cluster and of the bucket."
  type        = string
  default     = "eu-central-1"
}

variable "bucket" {
  description = "Name of the bucket."
  type        = string
  default     = "example-backups"
}

variable "replica" {
  description = "Region and bucket of the copy; null for none."
  type        = object({ region = string, bucket = string })
  default     = { region = "eu-west-1", bucket = "example-backups-replica" }
}

variable "issuer" {
  description = "The cluster's OIDC issuer for IRSA; empty: EKS Pod Identity."
  type        = string
  default     = ""
}

variable "glacier_instant_retrieval_days" {
  description = "See the module bucket."
  type        = number
  default     = null
}

variable "object_lock" {
  description = "See the module bucket."
  type        = object({ days = number, mode = optional(string) })
  default     = null
}

provider "aws" {
  region = var.region
}

provider "aws" {
  alias  = "replica"
  region = var.replica == null ? var.region : var.replica.region
}

module "bucket" {
  source                         = "../../bucket"
  providers                      = { aws = aws, aws.replica = aws.replica }
  bucket                         = var.bucket
  prefix                         = var.cluster
  replica_bucket                 = var.replica == null ? null : var.replica.bucket
  glacier_instant_retrieval_days = var.glacier_instant_retrieval_days
  object_lock                    = var.object_lock
}

module "roles" {
  source         = "../../roles"
  cluster        = var.cluster
  bucket         = module.bucket.bucket
  prefix         = module.bucket.prefix
  bucket_key_arn = module.bucket.kms_key_arn
  identity       = var.issuer == "" ? "pod-identity" : "irsa"
  issuer         = var.issuer
}

output "role_arn" {
  description = "ARN of the worker's role."
  value       = module.roles.role_arns["all"]
}

output "helm_values" {
  description = "Values of deploy/helm/lifeboat."
  value = yamlencode(merge(module.roles.helm_values["all"], {
    configuration = merge(module.roles.helm_values["all"].configuration, {
      cluster = var.cluster
      backupStorageLocations = [{
        apiVersion = "velero.io/v1"
        kind       = "BackupStorageLocation"
        metadata   = { name = "default" }
        spec = {
          provider      = "aws"
          default       = true
          objectStorage = { bucket = module.bucket.bucket, prefix = module.bucket.prefix }
          config        = { region = var.region, kmsKeyId = module.bucket.kms_key_arn }
        }
      }]
      volumeSnapshotLocations = [{
        apiVersion = "velero.io/v1"
        kind       = "VolumeSnapshotLocation"
        metadata   = { name = "default" }
        spec       = { provider = "aws", config = { region = var.region } }
      }]
    })
  }))
}
