module github.com/pulse-traces/pulse/sdk/go

go 1.23
