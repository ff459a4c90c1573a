// Package notify tells people and programs how a drill ended: by webhook, in one of three
// forms, or by a Kubernetes Event.
//
// A call is one try: whoever calls repeats it after an error that is not final. A repetition
// carries the same idempotency key, and makes no second Event.
//
// The URL of a webhook is a secret, for most have a token in their path. It is read from a
// Secret for each try, and no error quotes it, nor what the receiver answered.
package notify
