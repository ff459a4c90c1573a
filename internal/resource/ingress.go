package resource

// restoreIngress only warns: the load balancer's address is in the status, which
// the controller writes anew.
func restoreIngress(_ *Context, obj map[string]any, out *Outcome) error {
	warnOfAddress(obj, out)
	return nil
}
