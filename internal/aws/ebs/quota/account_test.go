package quota

import "testing"

func TestAccountsOfAPool(t *testing.T) {
	pool := NewPool(DefaultLimits())
	a := pool.Account("1", "eu-central-1", nil)
	if pool.Account("1", "eu-central-1", nil).accountLimiter != a.accountLimiter {
		t.Error("the same account and Region are two quotas")
	}
	if pool.Account("2", "eu-central-1", nil).accountLimiter == a.accountLimiter || pool.Account("1", "us-east-1", nil).accountLimiter == a.accountLimiter {
		t.Error("another account or Region is the same quota")
	}
}
