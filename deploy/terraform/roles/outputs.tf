output "role_arns" {
  description = "ARN of each worker's role."
  value       = { for role in keys(var.workers) : role => aws_iam_role.worker[role].arn }
}

output "helm_values" {
  description = "Values of deploy/helm/lifeboat that name each worker's ServiceAccount and role."
  value = { for role, worker in var.workers : role => {
    serviceAccount = {
      name    = worker.service_account
      roleArn = var.identity == "irsa" ? aws_iam_role.worker[role].arn : ""
    }
    # Nothing tells a pod which role Pod Identity gives it: the worker refuses to start as another.
    configuration = {
      aws = { expectedRoleArn = aws_iam_role.worker[role].arn }
    }
  } }
}
