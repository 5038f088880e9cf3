package postgres

import (
	"testing"

	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/storetest"
	"github.com/pulse-traces/pulse/shared/testkit"
)

func TestStore(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"cache_describe", "exec"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			storetest.Exercise(t, func(t *testing.T) store.Store {
				db := openURL(t, withParam(t, testkit.Postgres(t), "default_query_exec_mode", mode))
				if err := db.Migrate(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				return db
			})
		})
	}
}
