package main

import (
	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/schedule/preset"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

// completeFlags offers the words that flags take: names of what is stored, or the only ones
// there are.
func completeFlags(root *cobra.Command) {
	fixed := func(words ...string) cobra.CompletionFunc {
		return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	}
	console.CompleteFlags(root, map[string]cobra.CompletionFunc{
		"from-backup":               namesOf(root, "backup"),
		"from-schedule":             namesOf(root, "schedule"),
		"storage-location":          namesOf(root, "location"),
		"volume-snapshot-locations": namesOf(root, "snapshot-location"),
		"overlap":                   fixed(contract.OverlapSkip, contract.OverlapBufferOne),
		"preset":                    fixed(preset.Names()...),
	})
}

// namesOf offers what `NOUN get` takes.
func namesOf(root *cobra.Command, noun string) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
		get, _, err := root.Find([]string{noun, "get"})
		if err != nil || get.ValidArgsFunction == nil {
			return nil, cobra.ShellCompDirectiveError
		}
		get.SetContext(c.Context())
		return get.ValidArgsFunction(get, nil, prefix)
	}
}
