// Package exec runs commands in containers of pods and makes sure that none of
// them outlives its caller unnoticed: hooks freeze file systems and databases, and
// a command that is believed to have ended must have ended.
//
// Commands are streams of the pods/exec subresource, over a WebSocket, or SPDY where
// an older API server or a proxy refuses that.
package exec
