use super::foreign;
use halfopen_document::{Located, Node, Period, Reader, group, scalar};

group! {
    /// The group `open`: how long an open breaker waits before it lets a probe through.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    Open, expected "an `open` group such as { duration: 30s }"
    values {
        /// The first wait; 2s if nothing is said, and 0s is allowed.
        duration: Period = Period::read,
        /// The longest wait a server may ask for with its answer; 2m if nothing is said.
        hint_max: Period = Period::read,
    }
    groups {
        /// How the wait grows from one opening to the next, and how it is spread.
        #[cfg_attr(feature = "schema", schemars(default))]
        backoff: Backoff = Backoff::read,
    }
    , elsewhere foreign::advice
}

group! {
    /// The group `open.backoff`: how the wait grows and is spread.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    Backoff, expected "a backoff such as { multiplier: 2, max: 1m, jitter: 0.2 }"
    values {
        /// By how much each wait is longer than the one before, from 1 to 1000; 1 if nothing is said.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
        multiplier: f64 = scalar::number,
        /// The waits one after the other, instead of a multiplier; the last one repeats.
        delays: Vec<Located<Period>> = delays,
        /// The longest wait; with a multiplier 1m, or the first wait if that is longer, if nothing is said.
        max: Period = Period::read,
        /// The share by which a wait is made shorter or longer at random, from 0 to below 1; 0.2 if nothing is said.
        #[cfg_attr(feature = "schema", schemars(extend("minimum" = 0, "exclusiveMaximum" = 1)))]
        jitter: f64 = scalar::fraction,
        /// How long the breaker must stay closed until one opening is forgotten; if nothing is said, all are as soon as it closes.
        forget_after: Period = Period::read,
    }
    instead {
        multiplier of delays,
        delays of multiplier,
    }
    , elsewhere foreign::advice
}

fn delays(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<Located<Period>>> {
    scalar::list(node, reader, "a list of durations such as [1s, 5s, 30s]", Period::read)
}
