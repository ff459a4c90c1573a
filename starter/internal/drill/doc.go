// Package drill has the commands of `lifeboat drill` that ask nobody: they read evidence of
// drills from files and work offline, also where there is neither cluster nor Temporal.
package drill
