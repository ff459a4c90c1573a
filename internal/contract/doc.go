// Package contract is what starters, workflows and activities agree on: workflow
// and activity names, identifiers, inputs, results and error types.
//
// Everything here is serialised into Temporal histories. Renaming a constant or a
// JSON field breaks running workflows; add fields instead. Payloads carry
// references (bucket keys, counts, digests), never object bodies, Secret data,
// logs or lists that grow with the cluster.
package contract
