use std::time::{Duration, SystemTime};

use http::header::{HeaderMap, RETRY_AFTER};

use crate::retry_info;

/// The gRPC header by which a server says when to try again, in milliseconds.
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// The gRPC header whose details may hold a `RetryInfo`.
const DETAILS: &str = "grpc-status-details-bin";

/// How long the other side asked us to stay away, if it did.
///
/// Reads `Retry-After` (seconds, or an HTTP date in any of its three forms, counted from `now`),
/// gRPC's `grpc-retry-pushback-ms` and the `google.rpc.RetryInfo` in `grpc-status-details-bin`; where
/// there are several, the longest wait. A date in the past is zero. Absurd numbers saturate: seconds at `u64::MAX`, the pushback at the 24.8 days of its `i32`.
/// What cannot be understood is no hint. It never panics, whatever the peer sent.
///
/// A negative pushback means "do not retry this call". It says nothing about when the server will
/// be well again, and a breaker retries nothing: it is no hint, and a `Retry-After` beside it counts.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use halfopen_http::retry_after;
///
/// let mut headers = http::HeaderMap::new();
/// headers.insert("retry-after", "120".parse()?);
/// assert_eq!(retry_after(&headers, SystemTime::UNIX_EPOCH), Some(Duration::from_secs(120)));
///
/// headers.insert("retry-after", "Thu, 01 Jan 1970 00:01:00 GMT".parse()?);
/// assert_eq!(retry_after(&headers, SystemTime::UNIX_EPOCH), Some(Duration::from_secs(60)));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    hint(headers, || now)
}

/// As [`retry_after`], reading the wall clock only if there is a date to compare with it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let mut headers = http::HeaderMap::new();
/// headers.insert("retry-after", "7".parse()?);
/// assert_eq!(halfopen_http::retry_after_now(&headers), Some(Duration::from_secs(7)));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[allow(clippy::disallowed_methods, reason = "a date in a header has meaning only on the wall clock")]
pub fn retry_after_now(headers: &HeaderMap) -> Option<Duration> {
    hint(headers, SystemTime::now)
}

/// The hint of a gRPC status that a client has taken apart: what [`retry_after`] reads, by the present
/// wall clock, and the `google.rpc.RetryInfo` in its `details`, which are decoded already (bytes of a
/// `google.rpc.Status`, not base64).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use halfopen_http::retry_hint;
///
/// let mut metadata = http::HeaderMap::new();
/// metadata.insert("grpc-retry-pushback-ms", "1500".parse()?);
/// assert_eq!(retry_hint(&metadata, b"no details"), Some(Duration::from_millis(1500)));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
pub fn retry_hint(metadata: &HeaderMap, details: &[u8]) -> Option<Duration> {
    retry_after_now(metadata).max(retry_info::delay_in(details))
}

fn hint(headers: &HeaderMap, now: impl Fn() -> SystemTime) -> Option<Duration> {
    let texts = |name| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let http = texts(RETRY_AFTER.as_str()).filter_map(|text| seconds_or_date(text.trim(), &now));
    let grpc = texts(PUSHBACK).filter_map(|text| pushback(text.trim()));
    let details =
        headers.get_all(DETAILS).into_iter().filter_map(|value| retry_info::delay(value.as_bytes()));
    http.chain(grpc).chain(details).max()
}

fn seconds_or_date(text: &str, now: impl Fn() -> SystemTime) -> Option<Duration> {
    if let Some(seconds) = saturating_number(text) {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now()).unwrap_or(Duration::ZERO))
}

fn pushback(text: &str) -> Option<Duration> {
    let milliseconds = saturating_number(text)?;
    Some(Duration::from_millis(milliseconds.min(i32::MAX as u64)))
}

/// Digits only: `str::parse` would also take a sign, and would refuse what is too large.
fn saturating_number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT
    const NOW: u64 = 784_111_777;

    fn hint_of(name: &'static str, value: impl AsRef<[u8]>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_bytes(value.as_ref()).unwrap());
        retry_after(&headers, now())
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
    }

    #[test]
    fn without_a_header_there_is_no_hint() {
        assert_eq!(retry_after(&HeaderMap::new(), now()), None);
    }

    #[test]
    fn seconds_are_seconds() {
        assert_eq!(hint_of("retry-after", "0"), Some(Duration::ZERO));
        assert_eq!(hint_of("retry-after", " 007 "), Some(Duration::from_secs(7)));
        assert_eq!(hint_of("Retry-After", "3600"), Some(Duration::from_secs(3600)));
    }

    #[test]
    fn a_date_counts_from_now_in_each_of_its_forms() {
        for date in
            ["Sun, 06 Nov 1994 08:50:37 GMT", "Sunday, 06-Nov-94 08:50:37 GMT", "Sun Nov  6 08:50:37 1994"]
        {
            assert_eq!(hint_of("retry-after", date), Some(Duration::from_secs(60)), "{date}");
        }
    }

    #[test]
    fn a_date_that_is_past_means_come_now() {
        assert_eq!(hint_of("retry-after", "Sun, 06 Nov 1994 08:49:36 GMT"), Some(Duration::ZERO));
        assert_eq!(hint_of("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT"), Some(Duration::ZERO));
    }

    #[test]
    fn absurd_numbers_saturate() {
        let absurd = "9".repeat(400);
        assert_eq!(hint_of("retry-after", &absurd), Some(Duration::from_secs(u64::MAX)));
        let longest = Duration::from_millis(i32::MAX as u64);
        assert_eq!(hint_of("grpc-retry-pushback-ms", &absurd), Some(longest));
        assert!(hint_of("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT").is_some());
    }

    #[test]
    fn a_pushback_is_in_milliseconds() {
        assert_eq!(hint_of("grpc-retry-pushback-ms", "1500"), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn a_negative_pushback_is_no_hint_and_hides_none() {
        assert_eq!(hint_of("grpc-retry-pushback-ms", "-1"), None);

        let mut headers = HeaderMap::new();
        headers.insert("grpc-retry-pushback-ms", HeaderValue::from_static("-1"));
        headers.insert("retry-after", HeaderValue::from_static("3"));
        assert_eq!(retry_after(&headers, now()), Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_retry_info_among_the_details_of_a_status_counts() {
        // { details: [Any { "type.googleapis.com/google.rpc.RetryInfo", RetryInfo { 5 s } }] }
        let details = "GjAKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SBAoCCAU=";
        assert_eq!(hint_of("grpc-status-details-bin", details), Some(Duration::from_secs(5)));
        assert_eq!(hint_of("grpc-status-details-bin", "%%%"), None);
    }

    #[test]
    fn the_details_of_a_status_that_are_decoded_already_count_as_well() {
        // { details: [Any { "type.googleapis.com/google.rpc.RetryInfo", RetryInfo { 5 s } }] }
        let details = b"\x1a\x30\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x05";
        assert_eq!(retry_hint(&HeaderMap::new(), details), Some(Duration::from_secs(5)));
        assert_eq!(retry_hint(&HeaderMap::new(), &[]), None);

        let mut metadata = HeaderMap::new();
        metadata.insert("grpc-retry-pushback-ms", HeaderValue::from_static("9000"));
        assert_eq!(retry_hint(&metadata, details), Some(Duration::from_secs(9)));
    }

    #[test]
    fn of_several_hints_the_longest_counts() {
        let mut headers = HeaderMap::new();
        headers.append("retry-after", HeaderValue::from_static("2"));
        headers.append("retry-after", HeaderValue::from_static("9"));
        headers.append("grpc-retry-pushback-ms", HeaderValue::from_static("8000"));
        assert_eq!(retry_after(&headers, now()), Some(Duration::from_secs(9)));
    }

    #[test]
    fn what_cannot_be_understood_is_no_hint() {
        for text in ["", " ", "-5", "+5", "1.5", "1e3", "5s", "soon", "0x10", "Sun, 31 Feb 1994 08:49:37 GMT"]
        {
            assert_eq!(hint_of("retry-after", text), None, "{text:?}");
            assert_eq!(hint_of("grpc-retry-pushback-ms", text), None, "{text:?}");
        }
        assert_eq!(hint_of("retry-after", [0xff, b'1']), None);
    }

    #[test]
    fn no_mangled_date_makes_it_panic() {
        let seeds = [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Wednesday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ];
        for seed in seeds {
            for at in 0..seed.len() {
                for byte in (b' '..=b'~').chain([b'\t', 0x80, 0xff]) {
                    let mut text = seed.as_bytes().to_vec();
                    text[at] = byte;
                    hint_of("retry-after", &text);
                    hint_of("retry-after", &text[..at]);
                }
            }
        }
    }
}
