// Package sqswal is the durable log on SQS, or on any server that speaks its
// protocol: one standard queue per partition, and one for its dead letters. It
// knows nothing of what its records hold.
//
// # Messages
//
// A record is one message: its envelope (wal.Seal) in base64. A message has
// attributes, all of type String, only once something went wrong with it:
//
//	attempts   deliveries so far, of a message that was renewed or is a dead letter
//	reason     why it is a dead letter
//	failed_at  when it became one, RFC 3339
//	source     name of the queue that it came from
//
// A dead letter without a reason was moved by its queue, which gives up on a
// message that it has delivered wal.MaxDeliveries times.
//
// # Ways out of a queue
//
// A record that is stored is deleted. One that can never be stored is sent to the
// dead letters, then deleted. One that has to wait is hidden for a pause that
// grows (wal.Backoff), and before the queue has counted too many deliveries it is
// sent anew and the old message deleted, so that an outage of the store, however
// long, costs no record its life. Each is sent before it is deleted: whatever
// fails between the two brings a record twice, and never loses it.
package sqswal
