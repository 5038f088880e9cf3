package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

func TestEnsureSecrets(t *testing.T) {
	t.Parallel()
	type fixture struct{ home, file string }
	setup := func(t *testing.T) fixture {
		t.Helper()
		home := filepath.Join(t.TempDir(), "new", "home")
		return fixture{home, filepath.Join(home, "server-secrets.json")}
	}
	seed := func(t *testing.T, f fixture, content string) {
		t.Helper()
		if err := os.MkdirAll(f.home, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ensure := func(t *testing.T, f fixture, environ ...string) (Config, bool) {
		t.Helper()
		cfg := mustLoad(t, ModeSingle, append(environ, "PULSE_HOME="+f.home)...)
		generated, err := cfg.EnsureSecrets()
		if err != nil {
			t.Fatal(err)
		}
		return cfg, generated
	}
	// wantFile checks the file byte for byte, and who can read it.
	wantFile := func(t *testing.T, f fixture, auth, key string) {
		t.Helper()
		raw, err := os.ReadFile(f.file)
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("{\n  \"BETTER_AUTH_SECRET\": %q,\n  \"ENCRYPTION_KEY\": %q\n}\n", auth, key)
		if string(raw) != want {
			t.Errorf("file is\n%s, want\n%s", raw, want)
		}
		info, err := os.Stat(f.file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode is %o", info.Mode().Perm())
		}
		if entries, _ := os.ReadDir(f.home); len(entries) != 1 {
			t.Errorf("left behind: %v", entries)
		}
	}
	generatedForm := regexp.MustCompile(`^[0-9a-f]{64}$`)

	t.Run("GeneratesAndKeeps", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		cfg, generated := ensure(t, f)
		auth, key := cfg.AuthSecret.Reveal(), cfg.EncryptionKey.Reveal()
		if !generated || !generatedForm.MatchString(auth) || !generatedForm.MatchString(key) || auth == key {
			t.Fatalf("generated %t, lengths %d and %d", generated, len(auth), len(key))
		}
		wantFile(t, f, auth, key)
		again, generated := ensure(t, f)
		if generated || again.AuthSecret != cfg.AuthSecret || again.EncryptionKey != cfg.EncryptionKey {
			t.Error("a second start has other secrets")
		}
		wantFile(t, f, auth, key)
	})
	t.Run("EnvironmentWinsPerVariable", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		seed(t, f, fmt.Sprintf(`{"BETTER_AUTH_SECRET":%q,"ENCRYPTION_KEY":%q}`, longSecret, longSecret))
		cfg, generated := ensure(t, f, "ENCRYPTION_KEY="+otherSecret)
		if generated || cfg.AuthSecret != longSecret || cfg.EncryptionKey != otherSecret {
			t.Error("wrong secrets")
		}
		wantFile(t, f, longSecret, otherSecret)
	})
	t.Run("BothGivenTouchesNothing", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		ensure(t, f, "ENCRYPTION_KEY="+otherSecret, "BETTER_AUTH_SECRET="+longSecret)
		if _, err := os.Stat(f.home); !os.IsNotExist(err) {
			t.Errorf("home was made: %v", err)
		}
	})
	for name, content := range map[string]string{
		"NotJSON": "{", "Null": "null", "Array": "[]", "Empty": "",
		"TooShort": `{"BETTER_AUTH_SECRET":"short","ENCRYPTION_KEY":""}`,
	} {
		t.Run("Replaces"+name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			seed(t, f, content)
			cfg, generated := ensure(t, f)
			if !generated {
				t.Error("nothing was generated")
			}
			wantFile(t, f, cfg.AuthSecret.Reveal(), cfg.EncryptionKey.Reveal())
		})
	}
	t.Run("KeepsTheGoodOneOfTwo", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		seed(t, f, fmt.Sprintf(`{"BETTER_AUTH_SECRET":5,"ENCRYPTION_KEY":%q,"other":1}`, longSecret))
		cfg, generated := ensure(t, f)
		if !generated || cfg.EncryptionKey != longSecret {
			t.Error("the good secret was lost")
		}
		wantFile(t, f, cfg.AuthSecret.Reveal(), longSecret)
	})
	t.Run("ScaleTouchesNothing", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		cfg := mustLoad(t, ModeScale, append(scaleEnviron, "PULSE_HOME="+f.home)...)
		cfg.AuthSecret = ""
		if generated, err := cfg.EnsureSecrets(); generated || err != nil || cfg.AuthSecret != "" {
			t.Errorf("generated %t, error %v", generated, err)
		}
	})
	t.Run("ErrNoDirectory", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := mustLoad(t, ModeSingle, "PULSE_HOME="+file)
		if _, err := cfg.EnsureSecrets(); err == nil {
			t.Error("no error for a home that is a file")
		}
	})
}
