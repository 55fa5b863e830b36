//! The details of a rejection, as `grpc-status-details-bin` holds them.
//!
//! `google.rpc.Status { 1: code, 2: message, 3: repeated Any { 1: type, 2: value } }` with a `RetryInfo { 1:
//! Duration { 1: seconds, 2: nanos } }` and an `ErrorInfo { 1: reason, 2: domain, 3: map }`. So little of
//! protobuf needs no library.

use std::time::Duration;

use halfopen::Rejected;
use halfopen::adapter::Printable;
use tonic::Code;

/// What `ErrorInfo` says a rejection is.
const REASON: &str = "CIRCUIT_OPEN";
const DOMAIN: &str = "halfopen";

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

/// A `google.rpc.Status` about this rejection.
pub(crate) fn of(rejected: &Rejected, code: Code, message: &str) -> Vec<u8> {
    let retry_info = rejected.retry_after().map(retry_info);
    let status = Message::new().number(1, code as u64).text(2, message);
    let status = match retry_info {
        Some(info) => status.message(3, any(RETRY_INFO, info)),
        None => status,
    };
    status.message(3, any(ERROR_INFO, error_info(&Printable::new(rejected.name()).to_string()))).0
}

fn retry_info(delay: Duration) -> Message {
    // Seconds beyond i64 would be read as negative; nobody waits so long.
    let seconds = delay.as_secs().min(i64::MAX as u64);
    Message::new().message(1, Message::new().number(1, seconds).number(2, delay.subsec_nanos().into()))
}

fn error_info(breaker: &str) -> Message {
    let entry = Message::new().text(1, "breaker").text(2, breaker);
    Message::new().text(1, REASON).text(2, DOMAIN).message(3, entry)
}

fn any(kind: &str, value: Message) -> Message {
    Message::new().text(1, kind).message(2, value)
}

/// A message being written.
struct Message(Vec<u8>);

impl Message {
    fn new() -> Message {
        Message(Vec::new())
    }

    /// Zero is what a number that is left out is read as.
    fn number(mut self, field: u64, number: u64) -> Message {
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
