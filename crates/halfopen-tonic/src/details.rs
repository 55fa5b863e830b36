//! Encodes the details of a rejection for `grpc-status-details-bin`.
//!
//! The messages are `google.rpc.Status { 1: code, 2: message, 3: repeated Any { 1: type, 2: value } }`, `RetryInfo { 1:
//! Duration { 1: seconds, 2: nanos } }` and `ErrorInfo { 1: reason, 2: domain, 3: map }`. They are encoded by hand, as
//! varints and length-delimited fields do not justify a dependency.

use std::time::Duration;

use halfopen::adapter::Printable;
use halfopen::{RejectReason, Rejected};
use tonic::Code;

const DOMAIN: &str = "halfopen";

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

/// Encodes a `google.rpc.Status` for a rejection.
pub(crate) fn of(rejected: &Rejected, code: Code, message: &str) -> Vec<u8> {
    // Left out if the wait is unknown: with a delay of zero, clients would retry immediately.
    let retry_info = rejected.retry_after().map(retry_info);
    let status = Message::new().number(1, code as u64).text(2, message);
    let status = match retry_info {
        Some(info) => status.message(3, any(RETRY_INFO, info)),
        None => status,
    };
    status.message(3, any(ERROR_INFO, error_info(rejected))).0
}

/// The reason of the `ErrorInfo`, and the key under which it has the name.
fn kind(reason: RejectReason) -> (&'static str, &'static str) {
    match reason {
        RejectReason::BulkheadFull => ("BULKHEAD_FULL", "bulkhead"),
        RejectReason::RateLimited => ("RATE_LIMITED", "rate_limit"),
        _ => ("CIRCUIT_OPEN", "breaker"),
    }
}

fn retry_info(delay: Duration) -> Message {
    // The field is an int64, and a larger value would be decoded as a negative wait.
    let seconds = delay.as_secs().min(i64::MAX as u64);
    Message::new().message(1, Message::new().number(1, seconds).number(2, delay.subsec_nanos().into()))
}

fn error_info(rejected: &Rejected) -> Message {
    let (reason, key) = kind(rejected.reason());
    // An entry of a map is a message with the key in field 1 and the value in field 2.
    let entry = Message::new().text(1, key).text(2, &Printable::new(rejected.name()).to_string());
    Message::new().text(1, reason).text(2, DOMAIN).message(3, entry)
}

fn any(kind: &str, value: Message) -> Message {
    Message::new().text(1, kind).message(2, value)
}

/// The encoded fields of a message.
struct Message(Vec<u8>);

impl Message {
    fn new() -> Message {
        Message(Vec::new())
    }

    /// Appends a number, unless it is zero, which is the default of a field that is absent.
    fn number(mut self, field: u64, number: u64) -> Message {
        // Zero is the default of a field, and not written by proto3.
        if number != 0 {
            self.varint(field << 3);
            self.varint(number);
        }
        self
    }

    fn text(self, field: u64, text: &str) -> Message {
        self.bytes(field, text.as_bytes())
    }

    fn message(self, field: u64, Message(bytes): Message) -> Message {
        self.bytes(field, &bytes)
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Message {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}
