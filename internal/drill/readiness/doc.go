// Package readiness says how far a copy that a drill has made is: whether its workloads are
// ready and, if they are not, why; whether its volumes are its own and can be read.
package readiness
