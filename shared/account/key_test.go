package account

import (
	"regexp"
	"strings"
	"testing"
)

// A key as the earlier service stored it.
const (
	oldEncryptionKey = "contract-enckey-0123456789abcdef0123456789"
	oldKey           = "pulse_sk_87c52ef8-e0ca-42de-b6ed-b3bb546bfa75"
	oldHash          = "02a81aa7d02ea21109f2c69d2f791a69ae54618433a1de24d64e46549daef311"
	oldSealed        = "uUkjAVIGdS9Qt/XNuXrqmSy6IQHOv10qBu8InKH6aHG/g1/BGJLmorme2LqOmQseopBOfZ7Ewt2MqMV93uoSdpFaXqk/lSJlGkklYWw="
)

func TestKeysOfTheEarlierService(t *testing.T) {
	s, err := NewSealer(oldEncryptionKey)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Unseal(oldSealed); err != nil || got != oldKey {
		t.Errorf("Unseal = %q, %v", got, err)
	}
	if got := HashKey(oldKey); got != oldHash {
		t.Errorf("HashKey = %s", got)
	}
}

func TestSeal(t *testing.T) {
	s, err := NewSealer(oldEncryptionKey)
	if err != nil {
		t.Fatal(err)
	}
	key := MintKey()
	if !regexp.MustCompile(`^pulse_sk_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(key) {
		t.Errorf("MintKey = %q", key)
	}
	one, two := s.Seal(key), s.Seal(key)
	if one == two || strings.Contains(one, key) {
		t.Error("sealing the same key twice gives the same text")
	}
	if got, err := s.Unseal(one); err != nil || got != key {
		t.Errorf("Unseal = %q, %v", got, err)
	}
	other, err := NewSealer(strings.Repeat("x", 32))
	if err != nil {
		t.Fatal(err)
	}
	for name, sealed := range map[string]string{"": "", "text": "!", "short": "AAAA", "damaged": one[:len(one)-8] + "AAAAAAA="} {
		if _, err := s.Unseal(sealed); err == nil || strings.Contains(err.Error(), key) {
			t.Errorf("Unseal of %q: %v", name, err)
		}
	}
	if _, err := other.Unseal(one); err == nil {
		t.Error("another key unseals")
	}
}

func TestNewSealerRefusesKeysThatAreNone(t *testing.T) {
	for _, k := range []string{"", strings.Repeat("k", 31), strings.Repeat("é", 32)} {
		if _, err := NewSealer(k); err == nil {
			t.Errorf("NewSealer took a key of %d characters", len([]rune(k)))
		}
	}
}

func TestParseRole(t *testing.T) {
	for stored, want := range map[string]Role{"admin": RoleAdmin, "owner": RoleAdmin, "user": RoleUser, "": RoleUser, "Admin": RoleUser} {
		if got := ParseRole(stored); got != want {
			t.Errorf("ParseRole(%q) = %s, want %s", stored, got, want)
		}
	}
}

func FuzzUnseal(f *testing.F) {
	s, err := NewSealer(oldEncryptionKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(oldSealed)
	f.Fuzz(func(t *testing.T, sealed string) {
		if got, err := s.Unseal(sealed); err == nil && got != oldKey {
			t.Errorf("%q unseals", sealed)
		}
	})
}
