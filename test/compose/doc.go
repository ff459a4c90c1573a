// Package compose runs docker-compose.yml as users do, on a real Docker engine, against a real
// API server. The images have the names that the file pins and are made here of the same
// programs: nothing is pulled.
//
// It needs Linux and root, and the ports that the file publishes on loopback.
package compose
