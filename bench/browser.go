package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// browser measures the dashboard's pages in a real browser, on the store that s
// has: see dashboard/e2e/budgets.ts. Where Node or its packages are missing it
// says so and measures nothing.
func (b *bench) browser(ctx context.Context, s *server, of string) error {
	dir, err := filepath.Abs("dashboard")
	if err != nil {
		return err
	}
	playwright := filepath.Join(dir, "node_modules", ".bin", "playwright")
	if _, err := os.Stat(playwright); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintln(os.Stderr, "the pages are not measured in a browser: run make dashboard first")
		return nil
	} else if err != nil {
		return err
	}
	out := filepath.Join(b.sub("browser"), "budgets.json")
	cmd := exec.CommandContext(ctx, playwright, "test", "--config", "playwright.budgets.ts")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, os.Stderr, os.Stderr
	cmd.Env = append(os.Environ(), "BUDGETS_URL="+s.url, "BUDGETS_KEY="+s.Key, "BUDGETS_OUT="+out,
		`BUDGETS_ACCOUNT={"name":"Bench","email":"bench@example.com","password":"bench-password","project":"Measured"}`, "BUDGETS_PROJECT="+s.Project)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("measure the pages in a browser: %w", err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return err
	}
	var rows [][3]string
	if err := json.Unmarshal(text, &rows); err != nil {
		return err
	}
	for _, r := range rows {
		b.add(row{"in the browser: " + r[0] + of, r[1], "", "", r[2]})
	}
	return nil
}
