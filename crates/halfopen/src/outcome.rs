/// How a call ended, in the words of whoever made it.
///
/// What the breaker notes beside these (abandoned, late, slow) is in [`Ended`](crate::Ended) and
/// [`Totals`](crate::Totals).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Outcome {
    /// The dependency did its work, even if its answer was "no such thing".
    Success,
    /// The dependency is to blame: an error, a timeout, an overload.
    Failure,
    /// Says nothing about the dependency; counts in no window and gives a probe's slot back.
    Ignored,
}
