package config

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"unicode/utf8"
)

// secretsFile is in PULSE_HOME. Its form is the earlier service's, whose files
// must go on working: an object of both secrets, indented by two spaces.
const secretsFile = "server-secrets.json"

type persistedSecrets struct {
	AuthSecret    string `json:"BETTER_AUTH_SECRET"`
	EncryptionKey string `json:"ENCRYPTION_KEY"`
}

// EnsureSecrets fills the secrets that the environment does not give from
// PULSE_HOME, and makes and keeps those that are not there either. If both are
// given, and in ModeScale, it touches nothing. It reports whether it made one.
//
// The file holds both secrets afterwards, and only its owner can read it. What
// is in it but unreadable, no JSON or too short is replaced: nothing can have
// been signed with it.
func (c *Config) EnsureSecrets() (generated bool, err error) {
	if c.Mode == ModeScale || (c.AuthSecret != "" && c.EncryptionKey != "") {
		return false, nil
	}
	file := filepath.Join(c.Home, secretsFile)
	kept := readSecrets(file)
	settle := func(given *Secret, kept *string) {
		switch {
		case *given != "":
			*kept = given.Reveal()
		case utf8.RuneCountInString(*kept) >= minSecretChars:
		default:
			*kept, generated = newSecret(), true
		}
		*given = Secret(*kept)
	}
	settle(&c.AuthSecret, &kept.AuthSecret)
	settle(&c.EncryptionKey, &kept.EncryptionKey)
	if err := writeSecrets(file, kept); err != nil {
		return false, fmt.Errorf("keep secrets: %w", err)
	}
	return generated, nil
}

// readSecrets gives what strings the file holds under the two names.
func readSecrets(file string) persistedSecrets {
	var held map[string]any
	if raw, err := os.ReadFile(file); err != nil || json.Unmarshal(raw, &held) != nil {
		return persistedSecrets{}
	}
	auth, _ := held[authSecretName].(string)
	key, _ := held[encryptionKeyName].(string)
	return persistedSecrets{AuthSecret: auth, EncryptionKey: key}
}

// newSecret makes 64 hexadecimal digits, 256 random bits.
func newSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails; see crypto/rand
	return hex.EncodeToString(b)
}

// writeSecrets replaces the file in one step: a crash leaves the old one or the
// new one, never half of one, since a lost secret signs everybody out.
func writeSecrets(file string, s persistedSecrets) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, secretsFile+".*") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	if _, err = temp.Write(append(raw, '\n')); err == nil {
		err = temp.Sync()
	}
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(temp.Name(), file)
}
