//go:build race

package eploy

// slow says that everything takes ten times as long.
const slow = true
