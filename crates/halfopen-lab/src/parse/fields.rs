//! The fields of a call by their names, for every format.

use std::borrow::Cow;

use halfopen::{Outcome, parse_duration};
use halfopen_http::GrpcCode;
use http::StatusCode;
use memchr::memchr;

use super::{LineError, Options, time};
use crate::call::{LoggedCall, LoggedEnd, Nanos};

/// The unit of a duration that is written as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds, with a fraction.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
}

impl Unit {
    fn nanos(self) -> f64 {
        match self {
            Unit::Seconds => 1e9,
            Unit::Milliseconds => 1e6,
            Unit::Microseconds => 1e3,
            Unit::Nanoseconds => 1.0,
        }
    }

    /// The unit that a name ends in.
    fn of(name: &str) -> Option<Unit> {
        match name.rsplit_once('_')?.1 {
            "s" | "sec" | "secs" | "seconds" => Some(Unit::Seconds),
            "ms" | "millis" | "milliseconds" => Some(Unit::Milliseconds),
            "us" | "micros" | "microseconds" => Some(Unit::Microseconds),
            "ns" | "nanos" | "nanoseconds" => Some(Unit::Nanoseconds),
            _ => None,
        }
    }
}

/// The part of a call that a named field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The time of the call; [`Options::time_is_start`] selects which.
    Time,
    /// The time of its start.
    Start,
    /// The time of its end.
    End,
    /// Its duration.
    Duration,
    /// The duration of the call to the upstream, or of each that the proxy tried.
    UpstreamDuration,
    /// Its HTTP status.
    Status,
    /// The HTTP status of the upstream, or of each that the proxy tried.
    UpstreamStatus,
    /// Its gRPC code, as a number or a name.
    GrpcStatus,
    /// The response flags of Envoy.
    Flags,
    /// `success`, `failure`, `timeout`, `throttled`, `ignored` or `abandoned`.
    Outcome,
    /// The server or cluster.
    Upstream,
    /// The service or virtual host.
    Service,
    /// The path or the operation.
    Route,
}

impl Field {
    /// Returns whether a name that was given for this field takes the place of the known names of another.
    pub(crate) fn replaces(self, other: Field) -> bool {
        self == other
            || matches!(
                (self, other),
                (Field::Duration, Field::UpstreamDuration) | (Field::Status, Field::UpstreamStatus)
            )
    }
}

/// The longest duration: a day.
const LONGEST: f64 = 86_400e9;

/// A duration as it is written, and its unit.
type Written<'a> = (Cow<'a, str>, Unit);

/// The fields of one line, as far as they have been met.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    pub(crate) time: Option<Cow<'a, str>>,
    /// The time is that of the start.
    pub(crate) is_start: bool,
    pub(crate) took: Option<Written<'a>>,
    pub(crate) upstream_took: Option<Written<'a>>,
    pub(crate) status: Option<Cow<'a, str>>,
    pub(crate) upstream_status: Option<Cow<'a, str>>,
    pub(crate) grpc: Option<Cow<'a, str>>,
    pub(crate) flags: Option<Cow<'a, str>>,
    pub(crate) outcome: Option<Cow<'a, str>>,
    pub(crate) upstream: Option<Cow<'a, str>>,
    pub(crate) service: Option<Cow<'a, str>>,
    pub(crate) route: Option<Cow<'a, str>>,
}

impl<'a> Fields<'a> {
    /// Adds a field if its name is a known one; earlier fields are kept, but a start takes the place of another time.
    pub(crate) fn add(&mut self, name: &str, value: Cow<'a, str>, options: &Options) {
        if let Some((field, unit)) = options.known(name) {
            self.set(field, unit, value, options);
        }
    }

    pub(crate) fn set(&mut self, field: Field, unit: Unit, value: Cow<'a, str>, options: &Options) {
        // nginx and Envoy write `-` for a value that there is not.
        if value.is_empty() || value == "-" {
            return;
        }
        let place = match field {
            Field::Time => return self.set_time(options.time_is_start, value),
            Field::Start => return self.set_time(true, value),
            Field::End => return self.set_time(false, value),
            Field::Duration => {
                self.took.get_or_insert((value, unit));
                return;
            }
            Field::UpstreamDuration => {
                self.upstream_took.get_or_insert((value, unit));
                return;
            }
            Field::Status => &mut self.status,
            Field::UpstreamStatus => &mut self.upstream_status,
            Field::GrpcStatus => &mut self.grpc,
            Field::Flags => &mut self.flags,
            Field::Outcome => &mut self.outcome,
            Field::Upstream => &mut self.upstream,
            Field::Service => &mut self.service,
            Field::Route => &mut self.route,
        };
        place.get_or_insert(value);
    }

    fn set_time(&mut self, is_start: bool, value: Cow<'a, str>) {
        if self.time.is_none() || (is_start && !self.is_start) {
            (self.time, self.is_start) = (Some(value), is_start);
        }
    }

    /// Calls the function with the call, or with each attempt if a proxy tried several upstreams.
    pub(crate) fn each_call(
        &self,
        options: &Options,
        each: &mut dyn FnMut(LoggedCall<'_>),
    ) -> Result<(), LineError> {
        let call = self.call(options)?;
        if let Some(upstreams) = self.upstream.as_deref().filter(|upstreams| is_list(upstreams)) {
            for attempt in self.attempts(upstreams, &call)? {
                each(attempt);
            }
            return Ok(());
        }
        each(call);
        Ok(())
    }

    /// Returns the attempts of a request that a proxy made to several upstreams, one after the other. Without a status
    /// of each only the last one is known, which has the answer.
    fn attempts<'s>(
        &'s self,
        upstreams: &'s str,
        call: &LoggedCall<'s>,
    ) -> Result<Vec<LoggedCall<'s>>, LineError> {
        let upstreams: Vec<_> = list(upstreams).collect();
        let last = upstreams.len() - 1;
        let of_each = |text: Option<&'s str>| {
            let values: Vec<_> = list(text.unwrap_or_default()).collect();
            (values.len() == upstreams.len()).then_some(values)
        };
        let Some(statuses) = of_each(self.upstream_status.as_deref()) else {
            let upstream = Some(Cow::Borrowed(upstreams[last]));
            return Ok(vec![LoggedCall { upstream, ..call.clone() }]);
        };
        let times = self.upstream_took.as_ref().and_then(|(text, unit)| Some((of_each(Some(text))?, *unit)));
        let mut start = call.start;
        let attempt = |(place, (upstream, status)): (usize, (&&'s str, &&'s str))| {
            let took = match &times {
                Some((times, unit)) => duration(times[place], *unit)?,
                None => None,
            };
            let end = if place == last { call.end } else { by_status(status)? };
            let upstream = Some(Cow::Borrowed(*upstream));
            let attempt = LoggedCall { start, took, end, upstream, ..call.clone() };
            start += took.unwrap_or(0);
            Ok(attempt)
        };
        upstreams.iter().zip(&statuses).enumerate().map(attempt).collect()
    }

    /// Returns the call.
    pub(crate) fn call(&self, options: &Options) -> Result<LoggedCall<'_>, LineError> {
        let read = |took: &Option<Written<'_>>| match took {
            Some((text, unit)) => duration(text, *unit),
            None => Ok(None),
        };
        let (of_request, of_upstream) = (read(&self.took)?, read(&self.upstream_took)?);
        let written = self.time.as_deref().ok_or(LineError::missing("time"))?;
        let at = time::parse(written, options.zone).ok_or_else(|| {
            LineError::invalid(
                "time",
                written,
                "`10/Oct/2000:13:55:36 -0700`, `2000-10-10T20:55:36Z` or seconds since 1970",
            )
        })?;
        // A proxy writes its line when the caller has the answer, which may be long after the upstream's.
        let since_start = of_request.or(of_upstream).unwrap_or(0);
        let start = if self.is_start { at.at } else { at.at.saturating_sub(since_start) };
        let took = of_upstream.or(of_request);
        let [upstream, service, route] =
            [&self.upstream, &self.service, &self.route].map(|part| part.as_deref().map(Cow::Borrowed));
        Ok(LoggedCall { start, took, end: self.end()?, has_zone: at.has_zone, upstream, service, route })
    }

    fn end(&self) -> Result<LoggedEnd, LineError> {
        if let Some(end) = self.flags.as_deref().and_then(|flags| by_flags(flags, self.status.as_deref())) {
            return Ok(end);
        }
        if let Some(text) = self.outcome.as_deref() {
            return by_word(text);
        }
        if let Some(text) = self.grpc.as_deref() {
            return grpc_code(text).map(LoggedEnd::Grpc).ok_or_else(|| {
                LineError::invalid("grpc_status", text, "0 to 16, or a name such as UNAVAILABLE")
            });
        }
        let of_upstream = self.upstream_status.as_deref().and_then(|all| list(all).last());
        match (self.status.as_deref().map(by_status).transpose()?, of_upstream) {
            // The caller went away, whatever the upstream answered.
            (Some(LoggedEnd::Abandoned), _) => Ok(LoggedEnd::Abandoned),
            // A page of the proxy for an error is no answer of the upstream.
            (_, Some(status)) if status != "-" => by_status(status),
            (Some(end), _) => Ok(end),
            (None, _) => Err(LineError::missing("status")),
        }
    }
}

/// Returns the code of a number, or of a name as proxies and tracers write it: `DEADLINE_EXCEEDED`, `DeadlineExceeded`.
pub(crate) fn grpc_code(text: &str) -> Option<GrpcCode> {
    if let Ok(number) = text.parse::<usize>() {
        return GrpcCode::ALL.get(number).copied();
    }
    let letters = |name: &str| name.replace('_', "").to_ascii_lowercase();
    let written = letters(text);
    match &*written {
        // Envoy and some tracers write this one with a single l.
        "canceled" => Some(GrpcCode::Cancelled),
        written => GrpcCode::ALL.into_iter().find(|code| letters(code.name()) == written),
    }
}

fn by_status(text: &str) -> Result<LoggedEnd, LineError> {
    let invalid = || LineError::invalid("status", text, "an HTTP status, 100 to 599");
    match text.trim().parse::<u16>().map_err(|_| invalid())? {
        // Envoy: the caller went away before an answer. nginx: the client closed the connection.
        0 | 499 => Ok(LoggedEnd::Abandoned),
        status @ 100..=599 => Ok(LoggedEnd::Http(StatusCode::from_u16(status).map_err(|_| invalid())?)),
        _ => Err(invalid()),
    }
}

/// The end that response flags of Envoy mean, if they mean another than the status does.
fn by_flags(flags: &str, status: Option<&str>) -> Option<LoggedEnd> {
    flags.split(',').find_map(|flag| match flag {
        // The caller ended the call before its answer was complete.
        "DC" | "DR" => Some(LoggedEnd::Abandoned),
        // Answered by this proxy, or refused for a fault of the request: the call did not reach the service.
        "UO" | "RL" | "RLSE" | "UAEX" | "NR" | "NC" | "NFCF" | "RFCF" | "FI" | "LH" | "OM" | "DO" | "UDO"
        | "DPE" | "IH" => Some(LoggedEnd::Outcome(Outcome::Ignored)),
        // A connection without HTTP has no status.
        "UF" | "UH" | "UC" | "UT" | "UR" | "UPE" | "UMSDR" | "URX" | "DF" | "SI"
            if status.is_none_or(|status| status == "0") =>
        {
            Some(LoggedEnd::Outcome(Outcome::Failure))
        }
        _ => None,
    })
}

fn by_word(text: &str) -> Result<LoggedEnd, LineError> {
    let outcome = match text.to_ascii_lowercase().as_str() {
        "success" | "ok" | "true" => Outcome::Success,
        "failure" | "failed" | "error" | "timeout" | "false" => Outcome::Failure,
        "throttled" => Outcome::Throttled,
        "ignored" => Outcome::Ignored,
        "abandoned" | "cancelled" | "canceled" => return Ok(LoggedEnd::Abandoned),
        _ => {
            let expected = "success, failure, timeout, throttled, ignored or abandoned";
            return Err(LineError::invalid("outcome", text, expected));
        }
    };
    Ok(LoggedEnd::Outcome(outcome))
}

/// Parses `0.123`, of several attempts the sum (nginx writes `0.1, 0.2 : 0.3`), or a text with a unit such as `80ms`.
/// Returns [`None`] if no attempt has a duration.
fn duration(text: &str, unit: Unit) -> Result<Option<Nanos>, LineError> {
    let invalid = || LineError::invalid("duration", text, "a number, or a text such as `80ms`, up to a day");
    if let Some(nanos) = decimal(text, unit) {
        return Ok(Some(nanos));
    }
    if let Ok(duration) = parse_duration(text.trim()) {
        return nanos(duration.as_nanos() as f64).ok_or_else(invalid).map(Some);
    }
    let mut sum = None;
    for part in list(text).map(str::trim).filter(|part| *part != "-") {
        let number = part.parse::<f64>().ok().and_then(|number| nanos(number * unit.nanos()));
        sum = Some(sum.unwrap_or(0) + number.ok_or_else(invalid)?);
    }
    match sum {
        Some(sum) if sum as f64 > LONGEST => Err(invalid()),
        sum => Ok(sum),
    }
}

/// Returns whether a variable of nginx has the values of several upstreams.
fn is_list(text: &str) -> bool {
    memchr(b' ', text.as_bytes()).is_some() && list(text).nth(1).is_some()
}

/// The values of several upstreams, as nginx writes them: a comma is between servers of a group, and a colon between
/// groups.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(", ").flat_map(|group| group.split(" : "))
}

/// The nanoseconds of a plain decimal number, which almost all durations are; [`None`] for any other.
fn decimal(text: &str, unit: Unit) -> Option<Nanos> {
    let (whole, fraction) = match memchr(b'.', text.as_bytes()) {
        Some(point) => (&text.as_bytes()[..point], &text.as_bytes()[point + 1..]),
        None => (text.as_bytes(), &[][..]),
    };
    // As many digits as cannot overflow.
    if whole.is_empty() || whole.len() > 9 || fraction.len() > 9 {
        return None;
    }
    let nanos = match unit {
        Unit::Seconds => 1_000_000_000,
        Unit::Milliseconds => 1_000_000,
        Unit::Microseconds => 1_000,
        Unit::Nanoseconds => 1,
    };
    let scale = 10_u64.pow(fraction.len() as u32);
    if nanos % scale != 0 {
        return None;
    }
    let sum = time::digits(whole)? * nanos + time::digits(fraction)? * (nanos / scale);
    (sum as f64 <= LONGEST).then_some(sum)
}

fn nanos(nanos: f64) -> Option<Nanos> {
    (0.0..=LONGEST).contains(&nanos).then(|| nanos.round() as Nanos)
}

/// The unit that a name states or is known for.
pub(crate) fn unit_of(name: &str) -> Option<Unit> {
    // The variables of nginx.
    let is_seconds = matches!(name, "request_time" | "upstream_response_time" | "rt" | "urt");
    if is_seconds { Some(Unit::Seconds) } else { Unit::of(name) }
}

/// The field of a name without its unit, by the names that logs use.
pub(crate) fn by_name(name: &str) -> Option<Field> {
    let base =
        if Unit::of(name).is_some() { name.rsplit_once('_').map_or(name, |(base, _)| base) } else { name };
    match base {
        "start" | "start_time" | "started" | "started_at" => Some(Field::Start),
        "end" | "end_time" | "ended" | "ended_at" | "time_local" | "time_iso8601" | "msec" => {
            Some(Field::End)
        }
        "time" | "timestamp" | "@timestamp" | "ts" | "date" => Some(Field::Time),
        "duration" | "latency" | "elapsed" | "took" | "response_time" | "request_time" | "rt" => {
            Some(Field::Duration)
        }
        "upstream_response_time" | "urt" => Some(Field::UpstreamDuration),
        "upstream_status" => Some(Field::UpstreamStatus),
        "status" | "status_code" | "response_code" | "code" | "http_status" => Some(Field::Status),
        "grpc_status" | "grpc_status_number" | "grpc_code" => Some(Field::GrpcStatus),
        "response_flags" => Some(Field::Flags),
        "outcome" | "result" => Some(Field::Outcome),
        "upstream" | "upstream_cluster" | "upstream_addr" | "upstream_host" | "uaddr" | "peer" => {
            Some(Field::Upstream)
        }
        "service" | "service_name" | "host" | "http_host" | "server_name" | "authority" => {
            Some(Field::Service)
        }
        "route" | "route_name" | "path" | "uri" | "request_uri" | "url" | "operation" | "method_name" => {
            Some(Field::Route)
        }
        _ => None,
    }
}
