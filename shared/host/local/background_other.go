//go:build !linux

package local

// yieldThread does nothing: only Linux has a priority per thread.
func yieldThread() {}
