// Package serverless runs Pulse's functions as AWS would, on this machine: the
// compiled Lambda binaries under the runtime emulator (RIE), an HTTP API that
// takes its routes from template.yaml, and what moves messages from queues to
// the function that drains them. Queue server and database are real.
//
// What it makes of AWS follows the documentation, and where that is silent what
// others have observed and published; nothing here was compared with AWS itself.
package serverless
