// Package drill reads evidence of drills from files, for the commands of `lifeboat drill` that
// ask nobody: they work offline, also where there is neither cluster nor Temporal.
package drill
