use super::{
    Abandoned, Adaptive, Backoff, Bulkhead, CircuitType, Classify, HalfOpen, Last, Metadata, Open, RateLimit,
    Trip, Window,
};
use super::{flat, foreign, metadata, window};
use halfopen_document::{
    Entry, Group, Located, Node, Period, Reader, Scope, SectionKind, SectionKinds, group, scalar, suggest,
};

group! {
    /// The settings of one breaker: in `defaults`, a template, an environment, or under its name.
    ///
    /// Every key is optional; a lower layer provides the missing values.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    #[cfg_attr(feature = "schema", schemars(rename = "Section", transform = crate::schema::add_flat_keys))]
    BreakerSection, expected "the groups of a breaker such as { open: { duration: 30s } }"
    values {
        /// The template whose values the breaker's own values override.
        template: String = scalar::text,
        /// The environment, whose values override the template's; the breaker's own values override both.
        environment: String = scalar::text,
        /// False disables the breaker: every call passes and none is counted. A reload keeps the state that an operator has forced.
        enabled: bool = scalar::boolean,
        /// How a call is counted whose caller went away before it ended; `ignore` by default.
        abandoned: Abandoned = Abandoned::read,
        /// Whether every call is timed, for the totals; false by default.
        time_calls: bool = scalar::boolean,
        /// The client's timeout, with which windows, probes and waits that do not fit it are reported. A protection ends calls that take longer; a client of your own has its timeout set in the program.
        call_timeout: Period = Period::read_above_zero,
        /// The expected number of calls per second, above 0, with which minimums that cannot be reached are reported.
        #[cfg_attr(feature = "schema", schemars(extend("exclusiveMinimum" = 0)))]
        expected_rate: f64 = scalar::rate,
        /// The threshold that applies, consecutive failures or a failure rate, and its window; or `adaptive`, with which the breaker learns its own.
        circuit_type: CircuitType = CircuitType::read,
        /// Kept for the author of a classifier; names of exceptions have no effect here.
        excluded_exceptions: Vec<Located<String>> = exceptions,
    }
    groups {
        /// The rules that open the breaker.
        #[cfg_attr(feature = "schema", schemars(default))]
        trip: Trip = Trip::read,
        /// The calls that the rules are evaluated over.
        #[cfg_attr(feature = "schema", schemars(default))]
        window: Window = window::read,
        /// How long an open breaker waits.
        #[cfg_attr(feature = "schema", schemars(default))]
        open: Open = Open::read,
        /// The conditions that close the breaker again.
        #[cfg_attr(feature = "schema", schemars(default))]
        half_open: HalfOpen = HalfOpen::read,
        /// The numbers of an adaptive breaker, which has no `trip`, `window`, `open.duration`, `open.backoff` and `half_open`.
        #[cfg_attr(feature = "schema", schemars(default))]
        adaptive: Adaptive = Adaptive::read,
        /// The answers that are failures, for HTTP and gRPC clients.
        #[cfg_attr(feature = "schema", schemars(default))]
        classify: Classify = Classify::read,
        /// A description of the breaker, by which it can be found.
        #[cfg_attr(feature = "schema", schemars(default))]
        metadata: Metadata = metadata::read,
        /// How many calls may be in flight at a time, for the program's protections.
        #[cfg_attr(feature = "schema", schemars(default))]
        bulkhead_config: Bulkhead = Bulkhead::read,
        /// How many calls may begin in a period, for the program's protections.
        #[cfg_attr(feature = "schema", schemars(default))]
        rate_limit: RateLimit = RateLimit::read,
    }
    sections sections
    also flat::read,
    elsewhere home
}

/// Returns the place of a key that belongs elsewhere than in the section at this path.
fn home(path: &str, entry: &Entry) -> Option<String> {
    let key = entry.key.as_str();
    const HOMES: [(&str, &[&str]); 11] = [
        ("trip", Trip::KEYS),
        ("window", Window::KEYS),
        ("window.last", Last::KEYS),
        ("open", Open::KEYS),
        ("open.backoff", Backoff::KEYS),
        ("half_open", HalfOpen::KEYS),
        ("adaptive", Adaptive::KEYS),
        ("classify", Classify::KEYS),
        ("metadata", Metadata::KEYS),
        ("bulkhead_config", Bulkhead::KEYS),
        ("rate_limit", RateLimit::KEYS),
    ];
    // Only there is the key valid, so the general list of keys would not have it.
    if path.starts_with("templates.") && suggest::nearest(key, ["extends"], 0).is_some() {
        return Some("did you mean `extends`?".into());
    }
    match key {
        "name" => return Some("the name of a breaker is the key that this lies under".into()),
        "extends" => {
            return Some("only a template extends another; a breaker names one with `template`".into());
        }
        _ => {}
    }
    if let Some(advice) = foreign::advice(path, entry) {
        return Some(advice);
    }
    let mut homes = HOMES.iter().filter(|(_, keys)| keys.contains(&key)).map(|(group, _)| *group).peekable();
    homes.peek()?;
    let name = path.rsplit('.').next().unwrap_or_default();
    // A breaker that has the name of a group: its author took the level of names for that of groups.
    if homes.clone().any(|group| group == name) {
        return Some(format!(
            "`{name}` is a name here; to be the group, it must lie below the name of a breaker"
        ));
    }
    let homes: Vec<_> = homes.map(|group| format!("`{group}`")).collect();
    Some(format!("`{key}` belongs to the group {}", homes.join(" or ")))
}

fn exceptions(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<Located<String>>> {
    scalar::list(node, reader, "a list of names such as [ValueError]", scalar::text)
}

impl BreakerSection {
    /// Returns every key of a breaker: its own, those of other libraries, and those of sections.
    pub(crate) fn keys(sections: &SectionKinds) -> impl Iterator<Item = &'static str> {
        let sections = sections.of(Scope::Entry).map(SectionKind::key);
        BreakerSection::KEYS.iter().chain(flat::KEYS).copied().chain(sections)
    }

    /// Returns the template that the section names, as a setting or in its metadata.
    pub(crate) fn template_name(&self) -> Option<&Located<String>> {
        self.template.as_ref().or(self.metadata.template.as_ref())
    }

    /// Returns the environment that the section names, as a setting or in its metadata.
    pub(crate) fn environment_name(&self) -> Option<&Located<String>> {
        self.environment.as_ref().or(self.metadata.environment.as_ref())
    }
}
