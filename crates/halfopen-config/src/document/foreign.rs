//! The keys of other libraries: what to write instead, with the value in the unit that it has here.

use halfopen_document::{Entry, Node, Value, quoted};
use std::time::Duration;

use halfopen::{format_duration, parse_duration};

/// How many keys of a foreign group are translated.
const MOST_TRANSLATED: usize = 8;
/// How deep foreign groups are looked into.
const DEEPEST: usize = 6;

/// A key of another library. `{}` in what to write is the value.
struct Foreign {
    /// In small letters, without signs.
    key: &'static str,
    library: &'static str,
    write: Write,
}

/// What to write instead, by the unit of the foreign value.
#[derive(Clone, Copy)]
enum Write {
    Count(&'static str),
    /// A percentage, which becomes a share.
    Percent(&'static str),
    Share(&'static str),
    /// A duration whose bare numbers are milliseconds.
    Millis(&'static str),
    Seconds(&'static str),
    /// A duration whose bare numbers are nanoseconds if they are large, else seconds.
    Go(&'static str),
    /// A sentence.
    Says(&'static str),
}

const fn foreign(key: &'static str, library: &'static str, write: Write) -> Foreign {
    Foreign { key, library, write }
}

use Write::{Count, Go, Millis, Percent, Says, Seconds, Share};

const RESILIENCE4J: &str = "resilience4j";
const POLLY: &str = "Polly";
const FAILSAFE: &str = "failsafe-go";
const GOBREAKER: &str = "gobreaker";
const HYSTRIX: &str = "Hystrix";
const OPOSSUM: &str = "opossum";
const RECLOSER: &str = "recloser";
const TOWER_RESILIENCE: &str = "tower-resilience";
const ENVOY: &str = "Envoy";

const CLASSIFIER: &str =
    "errors are told apart by a classifier in the program; of HTTP and gRPC answers by `classify`";
const BY_ITSELF: &str = "leave it out: the first call after the wait is a probe, no timer is needed";
const LISTENER: &str = "leave it out: a listener of the program hears of changes";

const FOREIGN: &[Foreign] = &[
    foreign(
        "slidingwindowsize",
        RESILIENCE4J,
        Count(
            "window: { last_calls: {} }`, or with `slidingWindowType: TIME_BASED` `window: { last: { duration: {}s } }",
        ),
    ),
    foreign(
        "slidingwindowtype",
        RESILIENCE4J,
        Says(
            "COUNT_BASED is `window: { last_calls: 100 }`, TIME_BASED is `window: { last: { duration: 100s } }`",
        ),
    ),
    foreign("failureratethreshold", RESILIENCE4J, Percent("trip: { failure_rate: { threshold: {} } }")),
    foreign("minimumnumberofcalls", RESILIENCE4J, Count("trip: { minimum_calls: {} }")),
    foreign("ringbuffersizeinclosedstate", RESILIENCE4J, Count("window: { last_calls: {} }")),
    foreign(
        "ringbuffersizeinhalfopenstate",
        RESILIENCE4J,
        Count("half_open: { max_calls: {}, failure_rate: 0.5 }"),
    ),
    foreign("waitdurationinopenstate", RESILIENCE4J, Millis("open: { duration: {} }")),
    foreign("waitdurationinopenstatemillis", RESILIENCE4J, Millis("open: { duration: {} }")),
    foreign(
        "permittednumberofcallsinhalfopenstate",
        RESILIENCE4J,
        Count("half_open: { max_calls: {}, failure_rate: 0.5 }"),
    ),
    foreign("maxwaitdurationinhalfopenstate", RESILIENCE4J, Millis("half_open: { probe_timeout: {} }")),
    foreign(
        "slowcallratethreshold",
        RESILIENCE4J,
        Percent("trip: { slow_call_rate: { threshold: {}, slow_after: 1m } }"),
    ),
    foreign(
        "slowcalldurationthreshold",
        RESILIENCE4J,
        Millis("trip: { slow_call_rate: { threshold: 1.0, slow_after: {} } }"),
    ),
    foreign("automatictransitionfromopentohalfopenenabled", RESILIENCE4J, Says(BY_ITSELF)),
    foreign("enableexponentialbackoff", RESILIENCE4J, Says("write `open: { backoff: { multiplier: 2 } }`")),
    foreign("exponentialbackoffmultiplier", RESILIENCE4J, Count("open: { backoff: { multiplier: {} } }")),
    foreign("exponentialmaxwaitdurationinopenstate", RESILIENCE4J, Millis("open: { backoff: { max: {} } }")),
    foreign("randomizedwaitfactor", RESILIENCE4J, Share("open: { backoff: { jitter: {} } }")),
    foreign("recordexceptions", RESILIENCE4J, Says(CLASSIFIER)),
    foreign("ignoreexceptions", RESILIENCE4J, Says(CLASSIFIER)),
    foreign("recordfailurepredicate", RESILIENCE4J, Says(CLASSIFIER)),
    foreign("baseconfig", RESILIENCE4J, Says("write `template` with the name of a template")),
    foreign(
        "registerhealthindicator",
        RESILIENCE4J,
        Says("leave it out: `Registry::status` is the health of all breakers"),
    ),
    foreign("eventconsumerbuffersize", RESILIENCE4J, Says(LISTENER)),
    foreign("writablestacktraceenabled", RESILIENCE4J, Says("leave it out: a rejection has no stack trace")),
    foreign("failureratio", POLLY, Share("trip: { failure_rate: { threshold: {} } }")),
    foreign("minimumthroughput", POLLY, Count("trip: { minimum_calls: {} }")),
    foreign("samplingduration", POLLY, Seconds("window: { last: { duration: {} } }")),
    foreign("breakduration", POLLY, Seconds("open: { duration: {} }")),
    foreign(
        "breakdurationgenerator",
        POLLY,
        Says("write `open: { backoff: { multiplier: 2 } }` or a list of `delays`"),
    ),
    foreign("durationofbreak", POLLY, Seconds("open: { duration: {} }")),
    foreign("exceptionsallowedbeforebreaking", POLLY, Count("trip: { consecutive_failures: {} }")),
    foreign("handledeventsallowedbeforebreaking", POLLY, Count("trip: { consecutive_failures: {} }")),
    foreign("shouldhandle", POLLY, Says(CLASSIFIER)),
    foreign("onopened", POLLY, Says(LISTENER)),
    foreign(
        "failurethreshold",
        FAILSAFE,
        Count(
            "trip: { consecutive_failures: {} }`, or for a ratio `trip: { failure_rate: { threshold: 0.5 } }",
        ),
    ),
    foreign("withfailurethreshold", FAILSAFE, Count("trip: { consecutive_failures: {} }")),
    foreign(
        "failurethresholdratio",
        FAILSAFE,
        Says("write `trip: { failure_count: FAILURES }` and `window: { last_calls: CALLS }`"),
    ),
    foreign(
        "failurethresholdperiod",
        FAILSAFE,
        Says("write `trip: { failure_count: FAILURES }` and `window: { last: { duration: PERIOD } }`"),
    ),
    foreign("failureexecutionthreshold", FAILSAFE, Count("trip: { minimum_calls: {} }")),
    foreign("failurethresholdingperiod", FAILSAFE, Go("window: { last: { duration: {} } }")),
    foreign("successthreshold", FAILSAFE, Count("half_open: { success_threshold: {} }")),
    foreign("delay", FAILSAFE, Go("open: { duration: {} }")),
    foreign("withdelay", FAILSAFE, Go("open: { duration: {} }")),
    foreign("maxrequests", GOBREAKER, Count("half_open: { max_calls: {}, success_threshold: {} }")),
    foreign("interval", GOBREAKER, Go("window: { tumbling: {} }")),
    foreign("timeout", GOBREAKER, Go("open: { duration: {} }")),
    foreign(
        "readytotrip",
        GOBREAKER,
        Says(
            "its default, more than 5 failures in a row, is `trip: { consecutive_failures: 6 }`; write a rule of your own with `CircuitBreakerBuilder::ready_to_trip`",
        ),
    ),
    foreign(
        "bucketperiod",
        GOBREAKER,
        Says(
            "write how many such periods the window has, as `window: { last: { duration: 60s, buckets: 6 } }`",
        ),
    ),
    foreign("issuccessful", GOBREAKER, Says(CLASSIFIER)),
    foreign("isexcluded", GOBREAKER, Says(CLASSIFIER)),
    foreign("onstatechange", GOBREAKER, Says(LISTENER)),
    foreign("requestvolumethreshold", HYSTRIX, Count("trip: { minimum_calls: {} }")),
    foreign("sleepwindowinmilliseconds", HYSTRIX, Millis("open: { duration: {} }")),
    foreign("errorthresholdpercentage", HYSTRIX, Percent("trip: { failure_rate: { threshold: {} } }")),
    foreign("timeinmilliseconds", HYSTRIX, Millis("window: { last: { duration: {} } }")),
    foreign("numbuckets", HYSTRIX, Count("window: { last: { duration: 10s, buckets: {} } }")),
    foreign("forceopen", HYSTRIX, Says("leave it out: `CircuitBreaker::force_open` opens a breaker by hand")),
    foreign(
        "forceclosed",
        HYSTRIX,
        Says("leave it out: `CircuitBreaker::force_closed` closes a breaker by hand"),
    ),
    foreign(
        "timeoutinmilliseconds",
        HYSTRIX,
        Millis("call_timeout: {}`, and set the timeout in the client: `call_timeout` only describes it`"),
    ),
    foreign("maxconcurrentrequests", HYSTRIX, Count("bulkhead_config: { max_concurrent_calls: {} }")),
    foreign("resettimeout", OPOSSUM, Millis("open: { duration: {} }")),
    foreign("rollingcounttimeout", OPOSSUM, Millis("window: { last: { duration: {} } }")),
    foreign("rollingcountbuckets", OPOSSUM, Count("window: { last: { duration: 10s, buckets: {} } }")),
    foreign("volumethreshold", OPOSSUM, Count("trip: { minimum_calls: {} }")),
    foreign("errorrate", RECLOSER, Share("trip: { failure_rate: { threshold: {} } }")),
    foreign("closedlen", RECLOSER, Count("window: { last_calls: {} }")),
    foreign("halfopenlen", RECLOSER, Count("half_open: { max_calls: {}, failure_rate: 0.5 }")),
    foreign("openwait", RECLOSER, Seconds("open: { duration: {} }")),
    foreign("waitdurationinopen", TOWER_RESILIENCE, Seconds("open: { duration: {} }")),
    foreign("permittedcallsinhalfopen", TOWER_RESILIENCE, Count("half_open: { max_calls: {} }")),
    foreign("slidingwindowduration", TOWER_RESILIENCE, Seconds("window: { last: { duration: {} } }")),
    foreign("consecutive5xx", ENVOY, Count("trip: { consecutive_failures: {} }")),
    foreign("consecutivegatewayfailure", ENVOY, Count("trip: { consecutive_failures: {} }")),
    foreign("consecutivelocaloriginfailure", ENVOY, Count("trip: { consecutive_failures: {} }")),
    foreign("baseejectiontime", ENVOY, Seconds("open: { duration: {} }")),
    foreign("maxejectiontime", ENVOY, Seconds("open: { backoff: { multiplier: 2, max: {} } }")),
    foreign("maxejectiontimejitter", ENVOY, Says("write `open: { backoff: { jitter: 0.2 } }`")),
    foreign("failurepercentagethreshold", ENVOY, Percent("trip: { failure_rate: { threshold: {} } }")),
    foreign("failurepercentagerequestvolume", ENVOY, Count("trip: { minimum_calls: {} }")),
    foreign("successraterequestvolume", ENVOY, Count("trip: { minimum_calls: {} }")),
    foreign("maxejectionpercent", ENVOY, Says("leave it out: each breaker decides by itself")),
];

/// Groups of other libraries, whose keys are translated one by one.
const GROUPS: [&str; 12] = [
    "resilience4j",
    "circuitbreaker",
    "circuitbreakers",
    "instances",
    "backends",
    "configs",
    "hystrix",
    "command",
    "default",
    "metrics",
    "rollingstats",
    "outlierdetection",
];

/// Returns what to write instead of a key that another library has.
pub(super) fn advice(_: &str, entry: &Entry) -> Option<String> {
    let mut all = Vec::new();
    translate(entry, 0, &mut all);
    match all.as_slice() {
        [] => None,
        [(_, advice)] => Some(advice.clone()),
        several => {
            let parts = several.iter().map(|(key, advice)| format!("`{}`: {advice}", quoted(key)));
            Some(parts.collect::<Vec<_>>().join("; "))
        }
    }
}

fn translate(entry: &Entry, depth: usize, all: &mut Vec<(String, String)>) {
    // The key of another library is translated with its value where that is possible, so that its line can be
    // replaced by the advice.
    if let Some(foreign) = find(&entry.key) {
        all.push((entry.key.clone(), foreign.advice(&entry.node)));
        return;
    }
    let Value::Map(entries) = &entry.node.value else { return };
    // Below a group stand names, and below these the keys.
    if depth < DEEPEST && (depth > 0 || is_group(&entry.key)) {
        for entry in entries.iter().take(MOST_TRANSLATED) {
            if all.len() < MOST_TRANSLATED {
                translate(entry, depth + 1, all);
            }
        }
    }
}

fn is_group(key: &str) -> bool {
    key.split('.').any(|part| GROUPS.contains(&fold(part).as_str()))
}

/// Finds a key by its last word: `hystrix.command.default.circuitBreaker.forceOpen` is `forceOpen`.
fn find(key: &str) -> Option<&'static Foreign> {
    // Keys of properties files have their groups in front.
    let last = key.rsplit('.').next().filter(|last| last.len() <= 64)?;
    let folded = fold(last);
    FOREIGN.iter().find(|foreign| foreign.key == folded)
}

fn fold(word: &str) -> String {
    word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

impl Foreign {
    fn advice(&self, node: &Node) -> String {
        let library = self.library;
        let (pattern, value, unit) = match self.write {
            Count(pattern) => (pattern, count(node), None),
            Percent(pattern) => {
                (pattern, percent(node), number(node).map(|n| format!("{n} is a percentage there")))
            }
            Share(pattern) => (pattern, number(node).map(|share| format!("{share:?}")), None),
            Millis(pattern) => (pattern, time(node, 1e-3), bare(node, "milliseconds")),
            Seconds(pattern) => (pattern, time(node, 1.0), bare(node, "seconds")),
            // A bare number in Go is in nanoseconds; a small one is rather meant in seconds, and is translated
            // without a unit.
            Go(pattern) if number(node).is_some_and(|number| number >= 1e6) => {
                (pattern, time(node, 1e-9), bare(node, "nanoseconds"))
            }
            Go(pattern) => (pattern, time(node, 1.0), None),
            Says(sentence) => return format!("a key of {library}: {sentence}"),
        };
        let written = pattern.replace("{}", value.as_deref().unwrap_or("VALUE"));
        let unit = unit.filter(|_| value.is_some()).map_or_else(String::new, |unit| format!(" ({unit})"));
        format!("a key of {library}: write `{written}`{unit}")
    }
}

fn number(node: &Node) -> Option<f64> {
    match &node.value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number).filter(|number| number.is_finite()),
        Value::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
    }
}

fn count(node: &Node) -> Option<String> {
    number(node).filter(|number| *number >= 0.0).map(|number| number.to_string())
}

fn percent(node: &Node) -> Option<String> {
    let percent = number(node).filter(|percent| (0.0..=100.0).contains(percent))?;
    // By its digits, as 33.3 / 100 has more of them than 0.333.
    let share: f64 = format!("{percent}e-2").parse().ok()?;
    Some(format!("{share:?}"))
}

/// Returns a note on the unit of a number that has none.
fn bare(node: &Node, unit: &str) -> Option<String> {
    number(node).map(|number| format!("{number} there is in {unit}"))
}

fn time(node: &Node, unit: f64) -> Option<String> {
    let duration = match (number(node), &node.value) {
        (Some(number), _) => Duration::try_from_secs_f64(number * unit).ok(),
        (None, Value::Text(text)) => {
            parse_duration(text).ok().or_else(|| time_span(text)).or_else(|| iso_8601(text))
        }
        (None, _) => None,
    };
    duration.map(format_duration)
}

/// Reads `hh:mm:ss`, with a fraction or without, as .NET writes it.
fn time_span(text: &str) -> Option<Duration> {
    let parts: Vec<&str> = text.trim().split(':').collect();
    let [hours, minutes, seconds] = parts.as_slice() else { return None };
    let whole = |text: &str| text.parse::<u32>().ok().map(f64::from);
    let seconds = seconds.parse::<f64>().ok().filter(|seconds| (0.0..60.0).contains(seconds))?;
    Duration::try_from_secs_f64(whole(hours)? * 3600.0 + whole(minutes)? * 60.0 + seconds).ok()
}

/// Reads `PT1M30S`, as Java writes it.
fn iso_8601(text: &str) -> Option<Duration> {
    let time = text.trim().strip_prefix("PT")?;
    parse_duration(&time.to_ascii_lowercase()).ok()
}

#[cfg(test)]
mod tests {
    use halfopen_document::{Source, SourceKind, Span};

    use super::*;

    #[test]
    fn each_key_is_folded_and_stands_once() {
        for (index, one) in FOREIGN.iter().enumerate() {
            assert_eq!(one.key, fold(one.key), "as it is looked up");
            assert!(FOREIGN[..index].iter().all(|other| other.key != one.key), "{} stands twice", one.key);
        }
    }

    #[test]
    fn times_of_other_languages_are_read() {
        let span = Span::whole(&Source::new(SourceKind::Code, "", ""));
        let node = |text: &str| Node { value: Value::Text(text.into()), span: span.clone() };
        for (text, written) in [
            ("00:00:30", "30s"),
            ("01:02:03.5", "1h2m3s500ms"),
            ("PT1M30S", "1m30s"),
            ("1500ms", "1s500ms"),
            ("30", "30s"),
        ] {
            assert_eq!(time(&node(text), 1.0).as_deref(), Some(written), "{text}");
        }
        for text in ["00:61", "1:2:99", "P1D", "soon", ""] {
            assert_eq!(time(&node(text), 1.0), None, "{text}");
        }
    }
}
