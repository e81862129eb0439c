package storetest_test

import (
	"math"
	"testing"

	"holdall/archive"
	"holdall/archive/storetest"
)

func TestMemoryIsAStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) archive.Store { return &storetest.Memory{} })
}

func TestFaultyIsAStoreUntilItFails(t *testing.T) {
	storetest.Run(t, func(*testing.T) archive.Store {
		return &storetest.Faulty{Store: &storetest.Memory{}, FailAt: math.MaxInt}
	})
}
