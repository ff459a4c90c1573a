// Package storetest holds what every implementation of store.Store must do,
// as tests. An implementation runs the whole suite with Run.
package storetest
