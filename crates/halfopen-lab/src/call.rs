//! One logged call.

use std::borrow::Cow;
use std::collections::HashMap;

use halfopen::Outcome;
use halfopen_http::{GrpcClassify, GrpcCode, HttpClassify};
use http::StatusCode;

/// Nanoseconds: a duration, or the time since the Unix epoch.
pub type Nanos = u64;

/// The end of a call, in the words of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoggedEnd {
    /// An HTTP status, 100 to 599.
    Http(StatusCode),
    /// A gRPC code.
    Grpc(GrpcCode),
    /// An outcome that needs no classification.
    Outcome(Outcome),
    /// The caller went away.
    Abandoned,
}

impl LoggedEnd {
    /// Returns the outcome, or [`None`] if the call was abandoned.
    pub fn outcome(self, http: &HttpClassify, grpc: &GrpcClassify) -> Option<Outcome> {
        match self {
            LoggedEnd::Http(status) => Some(http.outcome(status)),
            LoggedEnd::Grpc(code) => Some(grpc.outcome(code)),
            LoggedEnd::Outcome(outcome) => Some(outcome),
            LoggedEnd::Abandoned => None,
        }
    }
}

/// A call as a line of a log describes it, before its breaker is chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedCall<'a> {
    /// The start.
    pub start: Nanos,
    /// The duration, if the log has it.
    pub took: Option<Nanos>,
    /// The end.
    pub end: LoggedEnd,
    /// Whether the time is written with its zone; otherwise it is read in that of the options.
    pub has_zone: bool,
    /// The server or cluster that was called.
    pub upstream: Option<Cow<'a, str>>,
    /// The service or virtual host.
    pub service: Option<Cow<'a, str>>,
    /// The path or the operation.
    pub route: Option<Cow<'a, str>>,
}

/// One call of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The start.
    pub start: Nanos,
    /// The duration, if the log has it.
    pub took: Option<Nanos>,
    /// The index of its breaker in [`Keys`].
    pub key: u32,
    /// The end.
    pub end: LoggedEnd,
}

/// The part of a call that selects its breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// One breaker for all calls.
    All,
    /// The server or cluster that was called.
    #[default]
    Upstream,
    /// The service or virtual host.
    Service,
    /// The path with its identifiers replaced, or the operation.
    Route,
}

/// The names of the breakers, in the order of their first calls.
#[derive(Debug)]
pub struct Keys {
    by: By,
    names: Vec<String>,
    indexes: HashMap<String, u32>,
    /// A buffer for the name of a route.
    route: String,
    overflowing: u64,
}

impl Keys {
    /// The number of breakers. The calls of all further names share one.
    pub const MAX: usize = 10_000;
    /// The name of a call whose log does not have the part that selects its breaker.
    pub const ALL: &'static str = "all";
    /// The name that further names share.
    pub const OTHERS: &'static str = "(others)";
    /// The longest name in bytes; a longer one is cut.
    const LONGEST: usize = 256;

    /// Creates an empty list.
    pub fn new(by: By) -> Keys {
        Keys { by, names: Vec::new(), indexes: HashMap::new(), route: String::new(), overflowing: 0 }
    }

    /// Returns the names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the number of calls that share [`OTHERS`](Self::OTHERS).
    pub fn overflowing(&self) -> u64 {
        self.overflowing
    }

    /// Returns the call with the index of its breaker.
    pub fn call(&mut self, logged: &LoggedCall<'_>) -> Call {
        let name = match self.by {
            By::All => None,
            By::Upstream => logged.upstream.as_deref(),
            By::Service => logged.service.as_deref(),
            By::Route => logged.route.as_deref(),
        };
        let key = match (name, self.by) {
            (Some(path), By::Route) => {
                let mut route = std::mem::take(&mut self.route);
                template_into(&mut route, path);
                let key = self.index(&route);
                self.route = route;
                key
            }
            (Some(name), By::All | By::Upstream | By::Service) => self.index(name),
            (None, By::All | By::Upstream | By::Service | By::Route) => self.index(Keys::ALL),
        };
        Call { start: logged.start, took: logged.took, key, end: logged.end }
    }

    fn index(&mut self, name: &str) -> u32 {
        let name = cut(name, Keys::LONGEST);
        if let Some(index) = self.indexes.get(name) {
            return *index;
        }
        if self.names.len() < Keys::MAX - 1 {
            return self.insert(name);
        }
        self.overflowing += 1;
        match self.indexes.get(Keys::OTHERS) {
            Some(index) => *index,
            None => self.insert(Keys::OTHERS),
        }
    }

    fn insert(&mut self, name: &str) -> u32 {
        let index = u32::try_from(self.names.len()).expect("at most Keys::MAX names");
        self.names.push(name.to_owned());
        self.indexes.insert(name.to_owned(), index);
        index
    }
}

/// Returns the text, or its longest prefix of at most `most` bytes.
fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Writes a path without its query, and with `:id` for each segment that is a number or a long hexadecimal word.
fn template_into(route: &mut String, path: &str) {
    route.clear();
    let path = path.split(['?', '#']).next().unwrap_or_default();
    for (place, segment) in path.split('/').enumerate() {
        if place > 0 {
            route.push('/');
        }
        route.push_str(if is_identifier(segment) { ":id" } else { segment });
    }
}

fn is_identifier(segment: &str) -> bool {
    let is_hexadecimal = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    let has_digit = segment.bytes().any(|byte| byte.is_ascii_digit());
    has_digit
        && (segment.bytes().all(|byte| byte.is_ascii_digit())
            || (segment.len() >= 8 && segment.bytes().all(is_hexadecimal)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call<'a>(upstream: Option<&'a str>, route: &'a str) -> LoggedCall<'a> {
        LoggedCall {
            start: 1,
            took: None,
            end: LoggedEnd::Abandoned,
            has_zone: true,
            upstream: upstream.map(Cow::Borrowed),
            service: None,
            route: Some(Cow::Borrowed(route)),
        }
    }

    #[test]
    fn identifiers_in_a_path_share_a_breaker() {
        let mut keys = Keys::new(By::Route);
        for path in ["/users/17/cart", "/users/2?x=/1", "/users/0e9b1c7a-77/cart", "/v1/deadbeef"] {
            keys.call(&call(None, path));
        }
        assert_eq!(keys.names(), ["/users/:id/cart", "/users/:id", "/v1/deadbeef"]);
    }

    #[test]
    fn names_above_the_limit_share_one_breaker() {
        let mut keys = Keys::new(By::Upstream);
        for number in 0..Keys::MAX + 5 {
            keys.call(&call(Some(&number.to_string()), "/"));
        }
        assert_eq!(keys.names().len(), Keys::MAX);
        assert_eq!(keys.names().last().map(String::as_str), Some(Keys::OTHERS));
        assert_eq!(keys.overflowing(), 6);
    }

    #[test]
    fn a_call_without_the_part_goes_to_all() {
        let mut keys = Keys::new(By::Upstream);
        assert_eq!(keys.call(&call(None, "/")).key, 0);
        assert_eq!(keys.names(), [Keys::ALL]);
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(cut("aéé", 4), "aé");
        assert_eq!(cut("aé", 40), "aé");
    }
}
