package page

// Control is a demand of a standard, and the fields of the evidence that help to answer it.
type Control struct {
	Standard string
	Clause   string
	Asks     string
	Fields   []string // paths in the predicate, as docs/EVIDENCE.md writes them
}

// Controls are the demands that evidence of drills helps to answer. That it does is the
// auditor's judgement: docs/EVIDENCE.md says what evidence does not show.
func Controls() []Control {
	return []Control{
		{"SOC 2", "A1.2", "backup and recovery infrastructure is operated and monitored", []string{"source.backup", "source.snapshots", "measured.rpo", "chain.missed", "checklist"}},
		{"SOC 2", "A1.3", "recovery procedures are tested", []string{"claim.verdict", "claim.level", "claim.levels", "objects", "assertions", "past"}},
		{"ISO/IEC 27001:2022", "A.8.13", "backup copies are kept and regularly tested", []string{"claim", "source.backup", "objects.kinds", "chain.schedule", "past"}},
		{"DORA", "Art. 11", "continuity and recovery plans are tested, with their results", []string{"objective", "claim.failures", "measured.rto", "measured.phases", "drill.asked", "past"}},
		{"DORA", "Art. 12", "restoration is checked for integrity, apart from production", []string{"subject", "claim.levels", "assertions", "isolation", "neutralised", "target"}},
		{"NIS2", "Art. 21(2)(c)", "business continuity: backup management and recovery", []string{"objective.rtoMs", "objective.rpoMs", "measured.rto", "measured.rpo", "claim.verdict"}},
		{"HIPAA", "164.308(a)(7)", "data backup, recovery and their testing and revision", []string{"source.backup", "claim", "objects", "assertions", "negativeControl", "notShown"}},
		{"NIST SP 800-53", "CP-4", "the contingency plan is tested, results reviewed", []string{"drill", "claim", "claim.failures", "chain", "past"}},
		{"NIST SP 800-53", "CP-9", "backups are conducted, protected and tested for integrity", []string{"subject", "source", "claim.levels", "negativeControl"}},
		{"NIST SP 800-53", "CP-10", "the system is recovered to a known state within its objectives", []string{"objective", "measured.rto", "measured.rpo", "objects", "teardown"}},
	}
}
