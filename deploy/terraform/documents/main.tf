# The IAM documents of the worker's role, as `lifeboat iam policy` and `lifeboat iam trust` print
# them. The files below templates are generated from the same code (internal/iam), which a test
# compares. No provider is needed.

terraform {
  required_version = ">= 1.9"
}

locals {
  policy = jsondecode(templatefile("${path.module}/templates/${var.role}.json", {
    partition  = var.partition
    bucket     = var.bucket
    prefix     = var.prefix
    bucket_key = jsonencode(var.bucket_key_arn == null ? [] : [var.bucket_key_arn])
    # Lists, where IAM takes one value or several.
    volume_keys = jsonencode(var.volume_key_arns)
    shared_by   = jsonencode(var.shared_by)
    assume      = jsonencode(var.assume)
  }))

  # The templates have every statement. One with an empty list is about something that was not
  # asked for.
  statements = [
    for statement in local.policy.Statement : statement
    if !strcontains(jsonencode(statement), "[]") && (var.inspect || !startswith(statement.Sid, "Inspect"))
  ]

  trust = jsondecode(templatefile("${path.module}/templates/trust-${var.identity}.json", {
    partition       = var.partition
    account         = var.account
    issuer          = trimsuffix(trimprefix(var.issuer, "https://"), "/")
    cluster         = var.cluster
    namespace       = var.namespace
    service_account = var.service_account
  }))
}
