//! The text formats of nginx and Envoy.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::fields::{Fields, Unit};
use super::{LineError, Options};

/// Parses the combined format of nginx, with or without what many add at its end: `$request_time` as a bare number, or
/// fields such as `rt=0.123 urt="0.120" uaddr="10.0.0.1:80"`.
pub(crate) fn nginx<'a>(line: &'a str, options: &Options) -> Result<Fields<'a>, LineError> {
    let mut rest = Words::of(line)?;
    let mut fields = Fields::default();
    rest.next().ok_or(LineError::missing("remote_addr"))?;
    // Between the address and the time: `-`, and a user, who may have spaces in the name.
    let bracket = rest.0.find('[').ok_or(LineError::missing("time_local"))?;
    rest.0 = &rest.0[bracket..];
    fields.time = Some(Cow::Borrowed(rest.next().ok_or(LineError::missing("time_local"))?));
    fields.route = route_of(rest.next().ok_or(LineError::missing("request"))?);
    fields.status = Some(Cow::Borrowed(rest.next().ok_or(LineError::missing("status"))?));
    rest.next().ok_or(LineError::missing("body_bytes_sent"))?;
    for _ in ["http_referer", "http_user_agent"] {
        rest.next();
    }
    for word in rest {
        match memchr(b'=', word.as_bytes()).map(|at| (&word[..at], &word[at + 1..])) {
            Some((name, value)) => fields.add(name, Cow::Borrowed(value.trim_matches('"')), options),
            None if fields.took.is_none() && word.parse::<f64>().is_ok() => {
                fields.took = Some((Cow::Borrowed(word), Unit::Seconds));
            }
            None => {}
        }
    }
    Ok(fields)
}

/// Parses the default format of Envoy, and that of Istio, which has words between the flags and the bytes.
pub(crate) fn envoy(line: &str) -> Result<Fields<'_>, LineError> {
    let mut rest = Words::of(line)?;
    let mut fields = Fields { is_start: true, ..Fields::default() };
    fields.time = Some(Cow::Borrowed(rest.next().ok_or(LineError::missing("START_TIME"))?));
    fields.route = route_of(rest.next().ok_or(LineError::missing("request"))?);
    fields.status = Some(Cow::Borrowed(rest.next().ok_or(LineError::missing("RESPONSE_CODE"))?));
    fields.flags = rest.next().map(Cow::Borrowed);
    let is_number = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let received = rest.by_ref().find(is_number);
    received.ok_or(LineError::missing("BYTES_RECEIVED"))?;
    rest.next().ok_or(LineError::missing("BYTES_SENT"))?;
    let took = rest.next().ok_or(LineError::missing("DURATION"))?;
    fields.took = (took != "-").then_some((Cow::Borrowed(took), Unit::Milliseconds));
    // The time of the upstream, the client, the user agent and the request's identifier.
    for _ in 0..4 {
        rest.next();
    }
    fields.service = rest.next().filter(|name| *name != "-").map(Cow::Borrowed);
    fields.upstream = rest.next().filter(|name| *name != "-").map(Cow::Borrowed);
    Ok(fields)
}

/// The path of `GET /path HTTP/1.1`.
fn route_of(request: &str) -> Option<Cow<'_, str>> {
    request.split_ascii_whitespace().nth(1).map(Cow::Borrowed)
}

/// The words of a line: in quotes, in brackets, or up to a space.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    /// A proxy escapes all control characters: a carriage return is the end of a line, of a file without others.
    fn of(line: &'a str) -> Result<Words<'a>, LineError> {
        match memchr(b'\r', line.as_bytes()) {
            None => Ok(Words(line)),
            Some(_) => Err(LineError::line("has a carriage return, must end with a line feed")),
        }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_ascii_start();
        let (word, rest) = match text.as_bytes().first()? {
            b'"' => until(&text[1..], closing_quote),
            b'[' => until(&text[1..], |text| memchr(b']', text.as_bytes())),
            _ => match value_in_quotes(text) {
                Some(end) => text.split_at(end),
                None => text.split_at(memchr(b' ', text.as_bytes()).unwrap_or(text.len())),
            },
        };
        self.0 = rest;
        Some(word)
    }
}

fn until(text: &str, end: impl Fn(&str) -> Option<usize>) -> (&str, &str) {
    match end(text) {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, ""),
    }
}

/// The place of the first quote that no backslash escapes.
fn closing_quote(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let found = from + memchr2(b'"', b'\\', text.as_bytes().get(from..)?)?;
        if text.as_bytes()[found] == b'"' {
            return Some(found);
        }
        from = found + 2;
    }
}

/// The end of `name="a value"`, if the text has this form.
fn value_in_quotes(text: &str) -> Option<usize> {
    let name = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    let value = text[name..].strip_prefix("=\"")?;
    closing_quote(value).map(|end| name + 2 + end + 1)
}
