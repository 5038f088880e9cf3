package host

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/pricesapi"
	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/pricebook"
	"github.com/pulse-traces/pulse/shared/pricing"
	"github.com/pulse-traces/pulse/shared/store"
)

// NewPrices makes the prices of st's projects, with those of PRICES_FILE.
func NewPrices(cfg *config.Config, log *slog.Logger, st store.PriceStore) (*pricebook.Book, error) {
	installation, err := readPrices(cfg.PricesFile)
	if err != nil {
		return nil, err
	}
	return pricebook.New(st, pricebook.Options{Installation: installation, Log: log}), nil
}

// PriceRoutes are the routes of projects' own prices for API keys.
func (d *Deps) PriceRoutes() api.Group { return pricesapi.New(d.PriceDeps()) }

// DashboardPriceRoutes are those for people.
func (d *Deps) DashboardPriceRoutes() api.Group { return pricesapi.NewDashboard(d.PriceDeps()) }

// PriceDeps are what both are made of.
func (d *Deps) PriceDeps() pricesapi.Deps {
	return pricesapi.Deps{Prices: d.Store, Forget: d.Prices.Forget}
}

// readPrices reads a file of prices; "" has none. The error names every field
// that is wrong: [1].prices.input is that of the second price.
func readPrices(file string) ([]pricing.Custom, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, config.Errors{{Name: "PRICES_FILE", Message: fmt.Sprintf("cannot be read: %v", err)}}
	}
	list, err := pricing.ParseCustomList(data)
	wrong, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return list, err
	}
	var faults config.Errors
	for _, issue := range wrong.Issues {
		faults = append(faults, config.Fault{Name: "PRICES_FILE", Message: file + ": " + fieldPath(issue.Path) + issue.Message})
	}
	return nil, faults
}

// fieldPath writes where in a file of JSON something is, with a colon after it;
// "" for the whole file.
func fieldPath(path []any) string {
	var b strings.Builder
	for _, part := range path {
		if index, ok := part.(int); ok {
			fmt.Fprintf(&b, "[%d]", index)
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		fmt.Fprint(&b, part)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	return b.String()
}
