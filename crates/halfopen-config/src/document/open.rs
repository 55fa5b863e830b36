use super::foreign;
use halfopen_document::{Located, Node, Period, Reader, group, scalar};

group! {
    /// The group `open`: how long an open breaker waits before it admits a probe.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    Open, expected "an `open` group such as { duration: 30s }"
    values {
        /// The first wait, 2s by default; 0s is allowed.
        duration: Period = Period::read,
        /// The longest wait that a server may request with its answer; 2m by default.
        hint_max: Period = Period::read,
    }
    groups {
        /// How the wait grows from one opening to the next, and its jitter.
        #[cfg_attr(feature = "schema", schemars(default))]
        backoff: Backoff = Backoff::read,
    }
    , elsewhere foreign::advice
}

group! {
    /// The group `open.backoff`: the growth of the wait and its jitter.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    Backoff, expected "a backoff such as { multiplier: 2, max: 1m, jitter: 0.2 }"
    values {
        /// The factor from each wait to the next, from 1 to 1000; 1 by default.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
        multiplier: f64 = scalar::number,
        /// The list of waits, instead of a multiplier; the last one repeats.
        delays: Vec<Located<Period>> = delays,
        /// The longest wait; with a multiplier the default is 1m, or the first wait if that is longer.
        max: Period = Period::read,
        /// The share by which a wait is randomly lengthened or shortened, from 0 to below 1; 0.2 by default.
        #[cfg_attr(feature = "schema", schemars(extend("minimum" = 0, "exclusiveMaximum" = 1)))]
        jitter: f64 = scalar::fraction,
        /// How long the breaker must stay closed to forget one opening; by default it forgets all when it closes.
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
