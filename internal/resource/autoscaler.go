package resource

// restoreAutoscaler drops the annotations in which the v1 API carries the status
// of an autoscaler.
func restoreAutoscaler(_ *Context, obj map[string]any, _ *Outcome) error {
	dropAnnotations(obj,
		"autoscaling.alpha.kubernetes.io/conditions", "autoscaling.alpha.kubernetes.io/current-metrics")
	return nil
}
