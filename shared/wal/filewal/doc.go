// Package filewal is the durable log of one machine: segment files, one
// directory per partition, one fsync for all appends that wait at a time. It
// knows nothing of what its records hold.
//
// # Files
//
//	<Dir>/append.lock, consume.lock      flock(2): one process per role
//	<Dir>/p01/0000000000000000.wal       segment, named by its first sequence
//	<Dir>/p01/cursor                     what is consumed
//	<Dir>/dead-letter/<id>.json          what could not be stored
//	<Dir>/replay/<id>.json               dead letters handed to the appending process
//
// Partition i is the directory p(i+1), of at least two digits, also where there
// is only one. Sequences start at 0 and rise by one in a segment; between
// segments they may leap, since those of a failed write are never used again.
//
// All integers are little-endian, all checksums CRC-32C (Castagnoli). A segment
// starts with 32 bytes:
//
//	0   8  magic "PULSEWAL"
//	8   4  format version, 1
//	12  4  checksum of the other 28 bytes
//	16  8  first sequence, as in the name
//	24  8  mark: random, chosen by the process that writes
//
// and goes on with records of 28 bytes and a body:
//
//	0   8  mark of the segment
//	8   4  length of the body
//	12  8  sequence
//	20  4  checksum of the body
//	24  4  checksum of bytes 0–23
//	28     body
//
// The head has a checksum of its own so that its length can be trusted where
// only the body is damaged. Where the head is damaged the reader looks for the
// next mark that starts a sound head with a fitting sequence. Nobody outside
// the process knows the mark, so no client can write a body that passes for a
// record. A damaged segment head costs nothing while its first record is sound:
// the mark is taken from there.
//
// The cursor is one line, "pulse-wal-cursor 1 <sequence> <checksum>": every
// record before the sequence is stored or dead-lettered. It is replaced by
// rename and not flushed, since an older one only brings records back.
// Where the disk has no room for it, a consumed segment is removed first.
//
// # Failures
//
// A process never appends to a segment that another one began, nor to one in
// which a write or fsync failed: after a failed fsync the kernel may have
// dropped the pages and a second fsync would lie. Such a segment is cut back to
// what is durable and the next append begins a new one, which is also how the
// log recovers once a full disk has room.
//
// Where one process appends and another consumes, the first leaves an empty
// segment on a full disk: it tells the second that the one before has ended and
// can be removed.
//
// Only the end of the last segment may be torn, by a write that was never
// acknowledged: a head or body that the file's end cuts off, or zeros. It is cut
// off when the appending process opens the log. Any other damage is saved among
// the dead letters and passed over.
package filewal
