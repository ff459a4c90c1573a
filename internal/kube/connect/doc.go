// Package connect reaches what runs in a cluster through its API server, from where the worker
// needs no way of its own into the pods' network: HTTP through the proxy of Services and pods,
// TCP through port-forward, and logs.
//
// Each call is one try on a connection of its own, and takes no slot of the client's limiter:
// what answers is an application, whose slowness says nothing about the API server.
package connect
