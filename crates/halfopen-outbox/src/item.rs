use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use bytes::Bytes;
use halfopen::ConfigProblem;

/// The longest name of a lane and the longest key, in bytes.
const LONGEST_NAME: usize = 255;

/// A message that an outbox delivers: a payload, the lane in which it keeps its order, and an idempotency key.
///
/// Cheap to clone.
///
/// # Examples
///
/// ```
/// use halfopen_outbox::Item;
///
/// let receipt = Item::new(r#"{"total": 12}"#).lane("tenant-7").key("receipt-1042");
/// assert_eq!((receipt.lane_name(), receipt.idempotency_key()), ("tenant-7", "receipt-1042"));
/// assert_ne!(Item::new("a").idempotency_key(), Item::new("a").idempotency_key());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    lane: Arc<str>,
    key: Arc<str>,
    payload: Bytes,
}

impl Item {
    /// Creates an item in the lane `default`, with a random key of 128 bits.
    pub fn new(payload: impl Into<Bytes>) -> Item {
        Item { lane: Arc::from("default"), key: random_key(), payload: payload.into() }
    }

    /// Sets the lane: items of one lane are delivered in their order, lanes are independent of each other.
    #[must_use]
    pub fn lane(self, lane: impl Into<Arc<str>>) -> Item {
        Item { lane: lane.into(), ..self }
    }

    /// Sets the idempotency key, by which the receiver recognizes an item that is delivered more than once.
    ///
    /// While an item with this key is stored, another one with it is not stored a second time. A caller that
    /// repeats a cancelled `send` with the same key therefore adds no duplicate.
    #[must_use]
    pub fn key(self, key: impl Into<Arc<str>>) -> Item {
        Item { key: key.into(), ..self }
    }

    /// Returns the name of the lane.
    pub fn lane_name(&self) -> &str {
        &self.lane
    }

    /// Returns the idempotency key.
    pub fn idempotency_key(&self) -> &str {
        &self.key
    }

    /// Returns the payload.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Returns the bytes that count towards the limit of the outbox: payload, lane and key.
    pub fn size(&self) -> u64 {
        (self.payload.len() + self.lane.len() + self.key.len()) as u64
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn shared_key(&self) -> &Arc<str> {
        &self.key
    }

    pub(crate) fn shared_lane(&self) -> &Arc<str> {
        &self.lane
    }

    /// Returns the first part that a store cannot hold.
    pub(crate) fn problem(&self) -> Option<ConfigProblem> {
        let storable = |text: &str| (1..=LONGEST_NAME).contains(&text.len()) && !text.contains('\0');
        let range = || format!("1 to {LONGEST_NAME} bytes without a NUL");
        if !storable(&self.lane) {
            return Some(ConfigProblem::new("lane", format_args!("{:?}", self.lane), range()));
        }
        (!storable(&self.key)).then(|| ConfigProblem::new("key", format_args!("{:?}", self.key), range()))
    }
}

impl fmt::Debug for Item {
    // Payloads may contain what must not be in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("lane", &self.lane)
            .field("key", &self.key)
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .finish()
    }
}

/// Returns 128 random bits in hexadecimal digits: two keyed hashes, whose keys are the system's random numbers.
pub(crate) fn random_key() -> Arc<str> {
    let [high, low] = [0, 1].map(|half| RandomState::new().hash_one(half));
    format!("{high:016x}{low:016x}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_that_no_store_can_hold_has_a_problem() {
        let long = "x".repeat(LONGEST_NAME + 1);
        for lane in ["", "a\0b", &long] {
            let problem = Item::new("").lane(lane).problem().expect("it is invalid");
            assert_eq!(problem.field(), "lane");
        }
        let problem = Item::new("").key("").problem().expect("it is invalid");
        assert_eq!(problem.to_string(), "`key` is \"\", but must be 1 to 255 bytes without a NUL");
        assert!(Item::new("").lane(&long[1..]).problem().is_none());
    }

    #[test]
    fn random_keys_differ() {
        let keys: std::collections::HashSet<_> = (0..1_000).map(|_| random_key()).collect();
        assert_eq!(keys.len(), 1_000);
        assert!(keys.iter().all(|key| key.len() == 32));
    }

    #[test]
    fn debug_output_has_no_payload() {
        assert!(!format!("{:?}", Item::new("secret")).contains("secret"));
    }
}
