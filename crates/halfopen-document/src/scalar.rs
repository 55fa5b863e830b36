//! Readers of single values: each returns a value, or reports a problem and returns [`None`].

use std::time::Duration;

use crate::{Located, Node, Problem, Reader, SourceKind, Span, Value};

const DURATION: &str = "a duration such as 30s, 500ms or 1m30s";

/// Reads `true` or `false`.
pub fn boolean(node: &Node, reader: &mut Reader<'_>) -> Option<bool> {
    let Value::Bool(on) = &node.value else {
        return reader.mismatch_because(node, "true or false", truth(node).or_else(|| unquoted(node)));
    };
    Some(*on)
}

/// Returns advice for a word that YAML 1.1 takes for a boolean.
fn truth(node: &Node) -> Option<String> {
    // Words that YAML 1.1 took for truth values, and that people still write.
    let Value::Text(word) = &node.value else { return None };
    match word.to_ascii_lowercase().as_str() {
        "yes" | "on" | "y" => Some("write true".into()),
        "no" | "off" | "n" => Some("write false".into()),
        _ => None,
    }
}

/// Reads a whole number from 0. Narrower ranges are checked where the number is used.
pub fn count(node: &Node, reader: &mut Reader<'_>) -> Option<u32> {
    count_or(node, reader, "a whole number from 0 to 4294967295")
}

/// Reads a whole number that should be at least 1. Zero is left to the check where the number is used, whose message
/// has the exact range.
pub fn positive(node: &Node, reader: &mut Reader<'_>) -> Option<u32> {
    count_or(node, reader, "a whole number from 1 to 4294967295")
}

fn count_or(node: &Node, reader: &mut Reader<'_>, expected: &str) -> Option<u32> {
    match &node.value {
        Value::Integer(number) => u32::try_from(*number).ok().or_else(|| reader.mismatch(node, expected)),
        _ => reader.mismatch_because(node, expected, as_count(node)),
    }
}

/// Returns advice for a whole number in another form, such as `5.0` or `"5"`.
pub fn as_count(node: &Node) -> Option<String> {
    // Template engines write whole numbers with a fraction.
    if let Value::Float(number) = &node.value {
        let is_count = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(number);
        return is_count.then(|| format!("write {number}"));
    }
    unquoted(node)
}

/// Reads a whole number of 64 bits.
pub fn whole(node: &Node, reader: &mut Reader<'_>) -> Option<i64> {
    match &node.value {
        Value::Integer(number) => {
            i64::try_from(*number).ok().or_else(|| reader.mismatch(node, "a whole number of 64 bits"))
        }
        _ => reader.mismatch_because(node, "a whole number", unquoted(node)),
    }
}

/// Reads a number.
pub fn number(node: &Node, reader: &mut Reader<'_>) -> Option<f64> {
    match &node.value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => reader.mismatch_because(node, "a number", unquoted(node)),
    }
}

/// Returns advice for a number or a boolean in quotes, which is a text.
fn unquoted(node: &Node) -> Option<String> {
    let Value::Text(text) = &node.value else { return None };
    let text = text.trim();
    // Quoted by habit or by a template engine: the text inside would be a value.
    let is_value = !matches!(plain(text), Value::Text(_));
    is_value.then(|| format!("write {text} without quotes"))
}

/// Reads a share of calls, above 0 and at most 1. A percentage gets advice with the number to write.
pub fn share(node: &Node, reader: &mut Reader<'_>) -> Option<f64> {
    // Valid, but it may be meant as 1 %.
    if let Value::Integer(1) = node.value {
        let path = reader.path().to_owned();
        let message = format!("`{path}` is 1, which is all calls");
        let help = "for 1 % write 0.01; if all calls are meant, write 1.0";
        reader.report(Problem::warning(path, message).at(node.span.clone()).help(help));
    }
    fraction_or(node, reader, "a share of calls such as 0.5, above 0 and at most 1")
}

/// Reads a share from 0 to below 1.
pub fn fraction(node: &Node, reader: &mut Reader<'_>) -> Option<f64> {
    fraction_or(node, reader, "a share such as 0.2, from 0 to below 1")
}

fn fraction_or(node: &Node, reader: &mut Reader<'_>, expected: &str) -> Option<f64> {
    let why = match (percentage(node), &node.value) {
        (None, Value::Integer(_) | Value::Float(_)) => return number(node, reader),
        (None, _) => unquoted(node),
        (Some(percent), _) => Some(format!("for {percent} % write {}", hundredth(percent))),
    };
    reader.mismatch_because(node, expected, why)
}

/// Returns the share that a number or a percentage stands for.
pub fn share_of(node: &Node) -> Option<f64> {
    let number = match &node.value {
        Value::Integer(1) => Some(1.0),
        Value::Float(share) if *share > 0.0 && *share <= 1.0 => Some(*share),
        _ => None,
    };
    number.or_else(|| percentage(node).map(hundredth))
}

fn percentage(node: &Node) -> Option<f64> {
    match &node.value {
        Value::Text(text) => text.trim().strip_suffix('%').and_then(|text| text.trim().parse().ok()),
        Value::Integer(percent @ 2..=100) => Some(*percent as f64),
        Value::Float(percent) if *percent > 1.0 && *percent <= 100.0 => Some(*percent),
        _ => None,
    }
}

// By its digits, as 33.3 / 100 has more of them than 0.333.
fn hundredth(percent: f64) -> f64 {
    format!("{percent}e-2").parse().unwrap_or(percent / 100.0)
}

/// Reads a number of calls a second, above 0.
pub fn rate(node: &Node, reader: &mut Reader<'_>) -> Option<f64> {
    let expected = "a number of calls a second, above 0";
    match &node.value {
        Value::Integer(number) if *number > 0 => Some(*number as f64),
        Value::Float(number) if *number > 0.0 && number.is_finite() => Some(*number),
        _ => reader.mismatch_because(node, expected, unquoted(node)),
    }
}

/// Reads a duration with its unit, such as `30s`, `500ms` or `1m30s`.
pub fn duration(node: &Node, reader: &mut Reader<'_>) -> Option<Duration> {
    let text = match &node.value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => {
            let why = fractional(*number);
            return reader.mismatch_because(node, DURATION, why);
        }
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => {
            return reader.mismatch(node, DURATION);
        }
    };
    match halfopen::parse_duration(&text) {
        Ok(duration) => Some(duration),
        Err(error) => reader.mismatch_because(node, DURATION, Some(error.why().to_owned())),
    }
}

/// Reads a number of seconds, or a duration with its unit.
pub fn seconds(node: &Node, reader: &mut Reader<'_>) -> Option<Duration> {
    let expected = "a number of seconds such as 30 or 0.5, or a duration such as 500ms";
    let seconds = match &node.value {
        Value::Integer(number) => *number as f64,
        Value::Float(number) => *number,
        Value::Text(text) => {
            return match halfopen::parse_duration(text) {
                Ok(duration) => Some(duration),
                Err(error) => reader.mismatch_because(node, expected, Some(error.why().to_owned())),
            };
        }
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => {
            return reader.mismatch(node, expected);
        }
    };
    Duration::try_from_secs_f64(seconds).ok().or_else(|| reader.mismatch(node, expected))
}

/// Reads a text; numbers and booleans as they are written, so that `version: 1.10` is not `1.1`.
pub fn text(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        // As it was written: the name `0755` is neither 755 nor 493.
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) => Some(node.span.text().to_owned()),
        Value::Null | Value::List(_) | Value::Map(_) => reader.mismatch(node, "a text"),
    }
}

/// Reads a list of values that `read` reads. In environment variables and values set by the program they are
/// separated by commas.
pub fn list<T>(
    node: &Node,
    reader: &mut Reader<'_>,
    expected: &str,
    read: impl Fn(&Node, &mut Reader<'_>) -> Option<T>,
) -> Option<Vec<Located<T>>> {
    let parts;
    let items = match &node.value {
        Value::List(items) => items,
        // A variable and code have no syntax for lists, so commas separate the items there; in a document a comma
        // may belong to a text.
        Value::Text(_) | Value::Bool(_) | Value::Integer(_) | Value::Float(_) if is_terse(node) => {
            parts = split(&node.span);
            &parts
        }
        Value::Text(_) | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {
            return reader.mismatch_because(node, expected, Some(format!("write [{}]", node.span.text())));
        }
        Value::Null | Value::Map(_) => return reader.mismatch(node, expected),
    };
    let mut all = Vec::new();
    for (index, item) in items.iter().enumerate() {
        all.extend(reader.within(&index.to_string(), |reader| {
            let value = read(item, reader)?;
            Some(Located::new(value, reader.origin(item.span.clone())))
        }));
    }
    Some(all)
}

fn is_terse(node: &Node) -> bool {
    matches!(node.span.kind(), SourceKind::Variable | SourceKind::Code)
}

fn split(span: &Span) -> Vec<Node> {
    let mut start = span.start();
    let parts = span.text().split(',').map(|part| {
        let skipped = part.len() - part.trim_start().len();
        let begin = start + skipped;
        start += part.len() + 1;
        let part = part.trim();
        Node { value: plain(part), span: Span::new(span.source(), begin, begin + part.len()) }
    });
    parts.filter(|node| !node.span.text().is_empty()).collect()
}

/// Returns the value of a bare word outside of a document, as in an environment variable.
pub fn plain(text: &str) -> Value {
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match (text.parse(), text.parse::<f64>()) {
            // The whole number first, as a float would lose digits of it.
            (Ok(whole), _) => Value::Integer(whole),
            (Err(_), Ok(number)) if number.is_finite() => Value::Float(number),
            (Err(_), _) => Value::Text(text.to_owned()),
        },
    }
}

fn fractional(seconds: f64) -> Option<String> {
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    Some(format!("for {seconds} seconds write `{}`", halfopen::format_duration(duration)))
}
