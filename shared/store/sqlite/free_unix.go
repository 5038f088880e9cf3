//go:build linux || darwin

package sqlite

import "syscall"

// freeBytes gives what this user may still write in the file system of dir.
func freeBytes(dir string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return s.Bavail * uint64(s.Bsize), nil
}
