terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.90, < 7.0"
      # The replica's Region. Without replica_bucket nothing is made there: pass the same provider.
      configuration_aliases = [aws.replica]
    }
  }
}
