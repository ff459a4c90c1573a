package kube

// ExecRemedy is the next step where the API server refuses to run a command in a pod.
const ExecRemedy = "grant the worker the verbs get and create of pods/exec, then run it again"
