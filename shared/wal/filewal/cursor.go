package filewal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const (
	cursorName = "cursor"
	cursorHead = "pulse-wal-cursor 1"
)

var errCursorDamaged = errors.New("cursor is damaged")

// readCursor gives the sequence up to which a partition is consumed: 0 if
// nothing is yet, errCursorDamaged if the file says nothing sound.
func readCursor(dir string) (uint64, error) {
	b, err := os.ReadFile(filepath.Join(dir, cursorName))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var sequence uint64
	if _, err := fmt.Sscanf(string(b), cursorHead+" %d", &sequence); err != nil || string(b) != formatCursor(sequence) {
		return 0, errCursorDamaged
	}
	return sequence, nil
}

// writeCursor replaces a partition's cursor in one step. With durable it
// survives a power failure.
func writeCursor(dir string, sequence uint64, durable bool) error {
	return replaceFile(filepath.Join(dir, cursorName), []byte(formatCursor(sequence)), durable)
}

func formatCursor(sequence uint64) string {
	line := fmt.Sprintf("%s %016d", cursorHead, sequence)
	return fmt.Sprintf("%s %08x\n", line, checksum([]byte(line)))
}

// setCursorAside keeps a damaged cursor for people to look at.
func setCursorAside(dir string) error {
	path := filepath.Join(dir, cursorName)
	return os.Rename(path, path+".damaged")
}

// replaceFile writes a file under another name and renames it, so that no
// reader sees half of it.
func replaceFile(path string, data []byte, durable bool) (err error) {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp)
		}
	}()
	_, err = f.Write(data)
	if err == nil && durable {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	if durable {
		return syncDir(filepath.Dir(path))
	}
	return nil
}

// noSpace reports whether err says that the disk, or a quota on it, is full.
func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
