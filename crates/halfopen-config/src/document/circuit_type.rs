use halfopen_document::{Node, Reader, Value, suggest};
use serde::Serialize;

/// The key `circuit_type`, by which older documents select one of their thresholds; the other has no effect, as
/// a flat key or in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CircuitType {
    /// Consecutive failures: `failure_threshold`, 5 by default.
    CountBased,
    /// A failure rate over time: `failure_rate_threshold` over `failure_window_seconds`, by default 0.5 over 60 s.
    TimeBased,
    /// A failure rate over calls: `failure_rate_threshold` over `sliding_window_size`, by default 0.5 over 100 calls.
    PercentageBased,
    /// No threshold: the breaker learns when to open, when to probe and when to close, with the numbers of the group `adaptive`. Rules, window, waits and half-open policy have no effect.
    Adaptive,
}

impl CircuitType {
    const ALL: [(&'static str, CircuitType); 4] = [
        ("count_based", CircuitType::CountBased),
        ("time_based", CircuitType::TimeBased),
        ("percentage_based", CircuitType::PercentageBased),
        ("adaptive", CircuitType::Adaptive),
    ];

    pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<CircuitType> {
        let expected = "count_based, time_based, percentage_based or adaptive";
        let Value::Text(word) = &node.value else { return reader.mismatch(node, expected) };
        if let Some((_, found)) = CircuitType::ALL.iter().find(|(name, _)| name == word) {
            return Some(*found);
        }
        let near = suggest::nearest(word, CircuitType::ALL.iter().map(|(name, _)| *name), reader.reported());
        reader.mismatch_because(node, expected, near.map(|near| format!("did you mean {near}?")))
    }

    /// Returns the name of the type in a document.
    pub(crate) fn name(self) -> &'static str {
        CircuitType::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}
