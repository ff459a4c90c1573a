// Package native keeps the data of EBS volumes as EBS snapshots, through EC2. They are known
// by their tags; nothing in the cluster stands for them. It has the three capabilities of a
// volume driver.
//
//   - Snapshots takes them: snapshotter.go, discard.go.
//   - Restorer makes EBS volumes of them: check.go and zone.go before the first write,
//     provision.go and disk.go (how long each is waited for), sweep.go.
//   - Deleter deletes them: delete.go.
package native
