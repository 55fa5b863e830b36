//! The flat keys of older documents: each is another spelling of a key in a group.

use super::{BreakerSection, RuleKind};
use halfopen_document::{Fields, Group, Located, Period, Problem, Reader, scalar};

/// The multiplier that `exponential_backoff: true` stands for.
const MULTIPLIER: f64 = 2.0;
/// The longest wait that goes with it, in seconds.
const MAX_BACKOFF: u64 = 300;

/// Every flat key that this module reads.
pub(crate) const KEYS: &[&str] = &[
    "failure_threshold",
    "failure_rate_threshold",
    "minimum_calls",
    "min_requests_for_rate",
    "sliding_window_size",
    "failure_window_seconds",
    "interval",
    "timeout",
    "timeout_seconds",
    "timeout_duration",
    "open_duration",
    "hint_max",
    "backoff",
    "exponential_backoff",
    "backoff_multiplier",
    "max_backoff_seconds",
    "success_threshold",
    "half_open_max_calls",
    "max_requests",
    "priority",
    "service_category",
];

pub(super) fn read(section: &mut BreakerSection, fields: &mut Fields<'_>, reader: &mut Reader<'_>) {
    if fields.is_empty() {
        return;
    }
    trip(section, fields, reader);
    windows(section, fields, reader);
    open(section, fields, reader);
    backoff(section, fields, reader);
    half_open(section, fields, reader);
    let priority = fields.take("priority", reader, scalar::whole);
    put(|| &mut section.metadata.priority, priority, "metadata.priority", reader);
    let category = fields.take("service_category", reader, scalar::text);
    put(|| &mut section.metadata.service_category, category, "metadata.service_category", reader);
}

/// Stores a flat value, or reports an error if its group has the same value already.
fn put<'s, T: 's>(
    slot: impl FnOnce() -> &'s mut Option<Located<T>>,
    flat: Option<Located<T>>,
    said_by: &str,
    reader: &mut Reader<'_>,
) {
    // A group is made when one of its values is reached for, so that the slot is asked for last.
    let Some(flat) = flat else { return };
    match slot() {
        // A flat key is read after the groups and fills only the slots that are still empty: of two keys for one
        // value neither is preferred silently.
        slot @ None => *slot = Some(flat),
        Some(first) => {
            let first = match first.origin().key() {
                key if said_by.ends_with(key) => said_by,
                key => key,
            };
            twice(&flat, first, reader);
        }
    }
}

fn twice<T>(flat: &Located<T>, first: &str, reader: &mut Reader<'_>) {
    let path = flat.origin().path();
    let message = format!("`{path}` says the same as `{first}` beside it; keep one of the two");
    let problem = Problem::error(path, message);
    reader.report(problem.at_origin(flat.origin()));
}

fn trip(section: &mut BreakerSection, fields: &mut Fields<'_>, reader: &mut Reader<'_>) {
    if let Some(failures) = fields.take("failure_threshold", reader, scalar::positive) {
        let slot = &mut section.trip.rule_mut(RuleKind::ConsecutiveFailures).failures;
        put(|| slot, Some(failures), "trip.consecutive_failures", reader);
    }
    if let Some(threshold) = fields.take("failure_rate_threshold", reader, scalar::share) {
        let slot = &mut section.trip.rule_mut(RuleKind::FailureRate).threshold;
        put(|| slot, Some(threshold), "trip.failure_rate.threshold", reader);
    }
    for key in ["minimum_calls", "min_requests_for_rate"] {
        let minimum = fields.take(key, reader, scalar::positive);
        put(|| &mut section.trip.minimum_calls, minimum, "trip.minimum_calls", reader);
    }
}

fn windows(section: &mut BreakerSection, fields: &mut Fields<'_>, reader: &mut Reader<'_>) {
    let calls = fields.take("sliding_window_size", reader, scalar::positive);
    let time = fields.take("failure_window_seconds", reader, Period::read_seconds);
    let interval = fields.take("interval", reader, Period::read_seconds);
    let window = &mut section.window;
    put(|| &mut window.last_calls, calls, "window.last_calls", reader);
    put(|| &mut window.last.duration, time, "window.last.duration", reader);
    match interval {
        // In gobreaker an interval of 0 never clears the counts.
        Some(never) if never.value.0.is_zero() => {
            put(|| &mut window.unbounded, Some(never.map(|_| true)), "window.unbounded", reader);
        }
        interval => put(|| &mut window.tumbling, interval, "window.tumbling", reader),
    }
}

fn open(section: &mut BreakerSection, fields: &mut Fields<'_>, reader: &mut Reader<'_>) {
    for key in ["timeout", "timeout_seconds", "timeout_duration"] {
        let wait = fields.take(key, reader, Period::read_seconds);
        put(|| &mut section.open.duration, wait, "open.duration", reader);
    }
    let wait = fields.take("open_duration", reader, Period::read);
    put(|| &mut section.open.duration, wait, "open.duration", reader);
    let limit = fields.take("hint_max", reader, Period::read);
    put(|| &mut section.open.hint_max, limit, "open.hint_max", reader);
}

fn backoff(section: &mut BreakerSection, fields: &mut Fields<'_>, reader: &mut Reader<'_>) {
    use super::Backoff;

    if let Some(node) = fields.node("backoff") {
        let flat = reader.within("backoff", |reader| Backoff::read(node, reader));
        if section.open.backoff.is_empty() {
            section.open.backoff = flat.into();
        } else {
            let origin = reader.within("backoff", |reader| reader.origin(node.span.clone()));
            twice(&Located::new((), origin), "open.backoff", reader);
        }
    }
    let grows = fields.take("exponential_backoff", reader, scalar::boolean);
    let multiplier = fields.take("backoff_multiplier", reader, scalar::number);
    let max = fields.take("max_backoff_seconds", reader, Period::read_seconds);
    let backoff = &mut section.open.backoff;
    match &grows {
        Some(off) if !off.value => {
            for unused in [multiplier.as_ref().map(Located::origin), max.as_ref().map(Located::origin)] {
                unused
                    .into_iter()
                    .for_each(|origin| reader.no_effect(origin, "`exponential_backoff` is false"));
            }
            put(|| &mut backoff.multiplier, Some(off.map(|_| 1.0)), "open.backoff.multiplier", reader);
        }
        grows => {
            // `exponential_backoff: true` alone asks for some growth; beside a multiplier or delays it asks for
            // nothing more.
            let by_itself =
                grows.as_ref().filter(|_| backoff.multiplier.is_none() && backoff.delays.is_none());
            let limit = by_itself
                .filter(|_| backoff.max.is_none())
                .map(|on| on.map(|_| Period::seconds(MAX_BACKOFF)));
            let multiplier = multiplier.or_else(|| by_itself.map(|on| on.map(|_| MULTIPLIER)));
            put(|| &mut backoff.multiplier, multiplier, "open.backoff.multiplier", reader);
            put(|| &mut backoff.max, max.or(limit), "open.backoff.max", reader);
        }
    }
}

fn half_open(section: &mut BreakerSection, fields: &mut Fields<'_>, reader: &mut Reader<'_>) {
    let half_open = &mut section.half_open;
    let successes = fields.take("success_threshold", reader, scalar::positive);
    put(|| &mut half_open.success_threshold, successes, "half_open.success_threshold", reader);
    let calls = fields.take("half_open_max_calls", reader, scalar::positive);
    put(|| &mut half_open.max_calls, calls, "half_open.max_calls", reader);
    if let Some(calls) = fields.take("max_requests", reader, scalar::positive) {
        // In gobreaker every admitted probe must succeed.
        if half_open.success_threshold.is_none() && half_open.failure_rate.is_none() {
            half_open.success_threshold = Some(calls.clone());
        }
        put(|| &mut half_open.max_calls, Some(calls), "half_open.max_calls", reader);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use halfopen_document::{Entry, Node, Path, Source, SourceKind, Span, Value};

    use super::*;

    #[test]
    fn the_keys_are_those_that_are_read() {
        let source = Source::new(SourceKind::Code, "", "");
        // Keys are known to be asked for while one is left that is not.
        let span = Span::whole(&source);
        let other = Node { value: Value::Null, span: span.clone() };
        let other = Entry { key: "other".to_owned(), key_span: span.clone(), node: other };
        let node = Node { value: Value::Map(vec![other]), span };
        let mut problems = Vec::new();
        let mut reader = Reader::new(crate::Layer::Entry, Path::new(&[]), &mut problems);
        let mut fields = reader.fields(&node, "keys");
        read(&mut BreakerSection::default(), &mut fields, &mut reader);
        let set = |keys: &[&'static str]| keys.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(set(fields.known()), set(KEYS));
    }
}
