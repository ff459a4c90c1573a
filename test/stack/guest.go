package stack

import "context"

// Guest is a program that is no component of a stack and shall live and die with
// it: it is marked, recorded and killed as they are, with its log beside theirs.
type Guest struct {
	Name, Binary string
	Args, Env    []string // Env is added to the caller's
	Health       string   // URL that answers 200 once it serves; empty: it need not be awaited
}

// StartGuest starts the program and waits until it is healthy.
func (s *Stack) StartGuest(ctx context.Context, g Guest) error {
	return s.run(ctx, &service{Name: g.Name, Binary: g.Binary, Args: g.Args, Env: g.Env, Health: g.Health})
}
