//go:build !race

package exportsim

const raceDetector = false
