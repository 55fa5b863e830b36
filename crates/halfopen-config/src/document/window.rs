use super::foreign;
use halfopen_document::{Group, Located, Node, Period, Reader, Value, group, scalar};

group! {
    /// The group `window`: the calls that the trip rules are evaluated over; by default those of the last 10s, in 10 buckets.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    #[cfg_attr(feature = "schema", schemars(transform = crate::schema::or_unbounded))]
    Window, expected "a window such as { last_calls: 100 } or { last: { duration: 10s } }"
    values {
        /// The number of the latest calls, from 1 to 1000000.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
        last_calls: u32 = scalar::positive,
        /// All calls since the last multiple of this time.
        tumbling: Period = Period::read,
        /// All calls since the breaker closed.
        #[cfg_attr(feature = "schema", schemars(extend("const" = true)))]
        unbounded: bool = only_true,
    }
    groups {
        /// The calls of the latest period.
        #[cfg_attr(feature = "schema", schemars(default))]
        last: Last = Last::read,
    }
    instead {
        last_calls of tumbling unbounded last,
        tumbling of last_calls unbounded last,
        unbounded of last_calls tumbling last,
        last of last_calls tumbling unbounded,
    }
    , elsewhere foreign::advice
}

group! {
    /// The group `window.last`: a window of time.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    Last, expected "a window of time such as { duration: 10s, buckets: 10 }"
    values {
        /// The length of the window.
        duration: Period = Period::read,
        /// The number of buckets that divide the window, from 1 to 1000; 10 by default.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
        buckets: u32 = scalar::positive,
    }
    , elsewhere foreign::advice
}

/// Reads `unbounded`. `false` is an error, because it does not name the window to use instead.
fn only_true(node: &Node, reader: &mut Reader<'_>) -> Option<bool> {
    match &node.value {
        Value::Bool(false) => {
            let instead = "name the window instead, such as `last_calls: 100` or `last: { duration: 10s }`";
            reader.mismatch_because(node, "true", Some(instead.into()))
        }
        _ => scalar::boolean(node, reader),
    }
}

/// Reads the window, which may be the single word `unbounded`.
pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Window {
    match &node.value {
        Value::Text(word) if word == "unbounded" => Window {
            unbounded: Some(Located::new(true, reader.origin(node.span.clone()))),
            ..Window::default()
        },
        _ => Window::read(node, reader),
    }
}
