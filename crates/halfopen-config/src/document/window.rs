use super::foreign;
use halfopen_document::{Group, Located, Node, Period, Reader, Value, group, scalar};

group! {
    /// The group `window`: what the trip rules look at. The last 10s in 10 buckets if nothing is said.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    #[cfg_attr(feature = "schema", schemars(transform = crate::schema::or_unbounded))]
    Window, expected "a window such as { last_calls: 100 } or { last: { duration: 10s } }"
    values {
        /// The last so many calls, from 1 to 1000000.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
        last_calls: u32 = scalar::positive,
        /// All calls since the last multiple of this time.
        tumbling: Period = Period::read,
        /// All calls since the breaker closed.
        #[cfg_attr(feature = "schema", schemars(extend("const" = true)))]
        unbounded: bool = only_true,
    }
    groups {
        /// The calls of the last so much time.
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
        /// How far back the window reaches.
        duration: Period = Period::read,
        /// Into how many parts the time is divided, from 1 to 1000; 10 if nothing is said.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
        buckets: u32 = scalar::positive,
    }
    , elsewhere foreign::advice
}

/// What is not unbounded is some other window, and only that window's key says which.
fn only_true(node: &Node, reader: &mut Reader<'_>) -> Option<bool> {
    match &node.value {
        Value::Bool(false) => {
            let instead = "name the window instead, such as `last_calls: 100` or `last: { duration: 10s }`";
            reader.mismatch_because(node, "true", Some(instead.into()))
        }
        _ => scalar::boolean(node, reader),
    }
}

/// The window, which may be the one word `unbounded`.
pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Window {
    match &node.value {
        Value::Text(word) if word == "unbounded" => Window {
            unbounded: Some(Located::new(true, reader.origin(node.span.clone()))),
            ..Window::default()
        },
        _ => Window::read(node, reader),
    }
}
