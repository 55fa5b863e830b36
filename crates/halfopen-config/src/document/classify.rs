use halfopen_document::{Located, Node, Reader, Value, group, scalar, suggest};
use std::ops::RangeInclusive;

use halfopen::Outcome;
use halfopen_http::{GrpcClassify, GrpcCode, HttpClassify};

group! {
    /// The group `classify`: the answers that are failures, for the adapters of HTTP and gRPC clients.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    Classify, expected "a `classify` group such as { http: { failures: [429, 5xx] } }"
    values {}
    groups {
        /// HTTP statuses.
        #[cfg_attr(feature = "schema", schemars(default))]
        http: HttpRules = HttpRules::read,
        /// gRPC codes.
        #[cfg_attr(feature = "schema", schemars(default))]
        grpc: GrpcRules = GrpcRules::read,
    }
}

group! {
    /// The group `classify.http`: sets of HTTP statuses, such as `503`, `500-599` or `5xx`.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    HttpRules, expected "sets of statuses such as { failures: [429, 5xx], successes: [501] }"
    values {
        /// The statuses that are failures; by default 408, 429 and 5xx except 501 and 505.
        failures: Vec<Located<Statuses>> = statuses,
        /// The statuses that are not counted; empty by default. Takes precedence over `failures`.
        ignored: Vec<Located<Statuses>> = statuses,
        /// The statuses that are always successes. Takes precedence over `failures` and `ignored`.
        successes: Vec<Located<Statuses>> = statuses,
    }
}

group! {
    /// The group `classify.grpc`: sets of gRPC codes, such as `UNAVAILABLE`.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    GrpcRules, expected "sets of codes such as { failures: [UNAVAILABLE, DEADLINE_EXCEEDED] }"
    values {
        /// The codes that are failures; by default UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL, UNKNOWN, DATA_LOSS and RESOURCE_EXHAUSTED.
        failures: Vec<Located<Code>> = codes,
        /// The codes that are not counted; CANCELLED by default. Takes precedence over `failures`.
        ignored: Vec<Located<Code>> = codes,
    }
}

/// A range of HTTP statuses, within 100 to 599.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses(RangeInclusive<u16>);

/// A gRPC code, displayed as in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(GrpcCode);

impl Statuses {
    /// Returns the range, from the first status to the last.
    pub fn range(&self) -> RangeInclusive<u16> {
        self.0.clone()
    }

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Statuses> {
        let range = match &node.value {
            Value::Integer(status) => u16::try_from(*status).ok().map(|status| status..=status),
            Value::Text(text) => Statuses::parse(text),
            Value::Null | Value::Bool(_) | Value::Float(_) | Value::List(_) | Value::Map(_) => None,
        };
        let valid =
            |range: &RangeInclusive<u16>| *range.start() >= 100 && *range.end() <= 599 && !range.is_empty();
        range
            .filter(valid)
            .map(Statuses)
            .or_else(|| reader.mismatch(node, "a status from 100 to 599, such as 503, 500-599 or 5xx"))
    }

    fn parse(text: &str) -> Option<RangeInclusive<u16>> {
        let text = text.trim().to_ascii_lowercase();
        if let Some(hundreds) = text.strip_suffix("xx") {
            let hundreds: u16 = hundreds.parse().ok().filter(|hundreds| *hundreds <= 9)?;
            return Some(hundreds * 100..=hundreds * 100 + 99);
        }
        let (first, last) = text.split_once('-').unwrap_or((&text, &text));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    }
}

impl std::fmt::Display for Statuses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (first, last) = (self.0.start(), self.0.end());
        if first == last { write!(f, "{first}") } else { write!(f, "{first}-{last}") }
    }
}

impl serde::Serialize for Statuses {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.start() == self.0.end() {
            serializer.serialize_u16(*self.0.start())
        } else {
            serializer.collect_str(self)
        }
    }
}

/// The codes that a document can name, in the order of their numbers, from 1.
pub(crate) fn named_codes() -> impl Iterator<Item = GrpcCode> + Clone {
    GrpcCode::ALL.into_iter().skip(1)
}

impl Code {
    /// Returns the code.
    pub fn code(self) -> GrpcCode {
        self.0
    }

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Code> {
        let expected = "a gRPC code such as UNAVAILABLE";
        match &node.value {
            Value::Text(text) => match named_codes().find(|code| Code::is(code.name(), text)) {
                Some(code) => Some(Code(code)),
                None => reader.mismatch_because(node, expected, Code::advice(text, reader.reported())),
            },
            Value::Integer(number) => {
                // A number is understood but not accepted: the error names the code, which a reader understands
                // without a table.
                let known = usize::try_from(*number)
                    .ok()
                    .and_then(|number| named_codes().nth(number.checked_sub(1)?));
                let why = known.map(|code| format!("{number} is {}", code.name()));
                reader.mismatch_because(node, expected, why)
            }
            _ => reader.mismatch(node, expected),
        }
    }

    /// Returns true if `text` is this name, in any case, with `_`, `-` or nothing between its words.
    fn is(name: &str, text: &str) -> bool {
        let text = text.to_ascii_uppercase();
        let mut rest = text.as_str();
        name.split('_').enumerate().all(|(place, word)| {
            let begun = if place == 0 { rest } else { rest.strip_prefix(['_', '-']).unwrap_or(rest) };
            begun.strip_prefix(word).map(|after| rest = after).is_some()
        }) && rest.is_empty()
    }

    fn advice(text: &str, told: usize) -> Option<String> {
        if Code::is("OK", text) {
            return Some("OK is always a success".to_owned());
        }
        let near = suggest::nearest(text, named_codes().map(GrpcCode::name), told);
        near.map(|near| format!("did you mean {near}?"))
    }

    fn name(self) -> &'static str {
        self.0.name()
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

fn statuses(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<Located<Statuses>>> {
    scalar::list(node, reader, "a list of statuses such as [429, 500-599]", Statuses::read)
}

fn codes(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<Located<Code>>> {
    scalar::list(node, reader, "a list of gRPC codes such as [UNAVAILABLE]", Code::read)
}

impl HttpRules {
    /// Returns the rules in the form that the HTTP adapters take.
    pub fn rules(&self) -> HttpClassify {
        let none = HttpClassify::all_succeed();
        // A list of failures is the whole list: any status in none of the lists is a success.
        let rules = if self.failures.is_some() { none } else { HttpClassify::new() };
        let sets = [
            (&self.failures, Outcome::Failure),
            (&self.ignored, Outcome::Ignored),
            (&self.successes, Outcome::Success),
        ];
        let rule = |rules: HttpClassify, statuses, outcome| {
            rules.rule(statuses, outcome).expect("statuses were checked when they were read")
        };
        let rules = sets.into_iter().fold(rules, |rules, (set, outcome)| {
            let statuses = set.iter().flat_map(|set| &set.value);
            statuses.fold(rules, |rules, statuses| rule(rules, statuses.value.range(), outcome))
        });
        // A document lists the statuses that fail; a 429 among them remains a throttle.
        let fails = rules.failures().any(|failures| failures.contains(&429));
        if fails { rule(rules, 429..=429, Outcome::Throttled) } else { rules }
    }
}

impl GrpcRules {
    /// Returns the rules in the form that the gRPC adapters take.
    pub fn rules(&self) -> GrpcClassify {
        let none = || GrpcClassify::from_mask(0).expect("no code is a mask");
        let mut rules = if self.failures.is_some() { none() } else { GrpcClassify::new() };
        // The list replaces the default of ignored codes, as the list of failures replaces theirs.
        if self.ignored.is_some() && rules.outcome(GrpcCode::Cancelled) == Outcome::Ignored {
            rules = rules.rule(GrpcCode::Cancelled, Outcome::Success).expect("any code may be a success");
        }
        let sets = [(&self.failures, Outcome::Failure), (&self.ignored, Outcome::Ignored)];
        let rule = |rules: GrpcClassify, code, outcome| {
            rules.rule(code, outcome).expect("OK was refused when it was read")
        };
        let rules = sets.into_iter().fold(rules, |rules, (set, outcome)| {
            let codes = set.iter().flat_map(|set| &set.value);
            codes.fold(rules, |rules, code| rule(rules, code.value.code(), outcome))
        });
        let fails = rules.outcome(GrpcCode::ResourceExhausted).is_failure();
        if fails { rule(rules, GrpcCode::ResourceExhausted, Outcome::Throttled) } else { rules }
    }
}
