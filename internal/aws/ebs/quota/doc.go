// Package quota keeps all that a process asks of EBS in one account and Region below the
// limits of that account: how many snapshots may be pending there and of one volume, how
// far apart those of one volume are, and how many requests EC2 takes. It knows no SDK:
// whoever can ask EC2 gives it a Counter.
//
// An Account is one for all that make snapshots there. Native snapshots are made by this
// process:
//
//	account := pool.Account(id, region, count)
//	res, err := account.Reserve(ctx, volumes, quota.CreateSnapshot) // before the pods are quiesced
//	defer res.Release()
//	slots, err := res.TakeSlots(ctx, 1)
//	defer slots.GiveBack()
//	err = res.PayRequest(ctx, quota.CreateSnapshot)
//	// CreateSnapshot; a refusal is waited out with slots.AwaitRetry
//	slots.Created(made)
//
// Those of a CSI driver are made by the driver, some time after its cluster was told:
//
//	driver := account.Driver(list)
//	err := driver.Reserve(ctx, orders)           // all, before the pods are quiesced
//	keys, err := driver.TryReserve(ctx, orders)  // or as many as there is room for now
//	defer driver.Release(keys...)                // what was not asked for
//	// create the VolumeSnapshot
//	driver.Asked(key)
//
// A driver's slot becomes a pending snapshot when EC2 shows a new one of its volume, so
// that no snapshot counts twice. It is free when the cluster does not list it any more.
// Where nobody can ask EC2, Uncounted makes an Account that rests on the cluster's list
// alone; a driver of another provider gets one with its own Limits. Who needs slots of
// both kinds at the same time reserves them under KeepTurn.
package quota
