//go:build race

package exportsim

// raceDetector says that the race detector is on, which makes filling documents twenty times slower.
const raceDetector = true
