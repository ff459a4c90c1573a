# The roles of the workers of one cluster, and who may take them: EKS Pod Identity, or the tokens of
# the cluster's OIDC issuer (IRSA). Their documents are those of deploy/iam.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

module "documents" {
  for_each        = var.workers
  source          = "../documents"
  role            = each.key
  partition       = data.aws_partition.current.partition
  account         = data.aws_caller_identity.current.account_id
  bucket          = var.bucket
  prefix          = var.prefix
  bucket_key_arn  = var.bucket_key_arn
  volume_key_arns = var.volume_key_arns
  shared_by       = var.shared_by
  assume          = var.assume
  inspect         = var.inspect
  identity        = var.identity
  issuer          = var.issuer
  cluster         = var.cluster
  namespace       = each.value.namespace
  service_account = each.value.service_account
}

resource "aws_iam_role" "worker" {
  for_each             = var.workers
  name                 = join("-", concat([var.name, var.cluster], each.key == "all" ? [] : [each.key]))
  description          = "Lifeboat's worker of ${var.cluster}: ${each.key}"
  assume_role_policy   = module.documents[each.key].trust
  permissions_boundary = var.permissions_boundary
  max_session_duration = 3600
  tags                 = var.tags
}

resource "aws_iam_role_policy" "worker" {
  for_each = var.workers
  name     = "lifeboat"
  role     = aws_iam_role.worker[each.key].id
  policy   = module.documents[each.key].policy
}

resource "aws_eks_pod_identity_association" "worker" {
  for_each        = var.identity == "pod-identity" ? var.workers : {}
  cluster_name    = var.cluster
  namespace       = each.value.namespace
  service_account = each.value.service_account
  role_arn        = aws_iam_role.worker[each.key].arn
  tags            = var.tags
}
