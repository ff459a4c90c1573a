output "policy" {
  description = "What the role may do."
  value       = jsonencode({ Version = local.policy.Version, Statement = local.statements })
}

output "trust" {
  description = "Who may take the role."
  value       = jsonencode(local.trust)
  precondition {
    condition     = var.identity == "irsa" || var.cluster != ""
    error_message = "cluster: say the EKS cluster's name; without it the pods of any cluster of the account could take the role."
  }
  precondition {
    condition     = var.identity == "pod-identity" || (var.issuer != "" && can(regex("^[0-9]{12}$", var.account)))
    error_message = "issuer and account (12 digits) are needed for irsa."
  }
}
