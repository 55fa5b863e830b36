//! Plain values. Each reader says what is wrong and gives nothing back, or gives a value that fits.

use std::time::Duration;

use super::Reader;
use crate::Problem;
use crate::source::{Place, SourceKind};
use crate::tree::{Node, Value};
use crate::written::Written;

const DURATION: &str = "a duration such as 30s, 500ms or 1m30s";

pub(crate) fn boolean(node: &Node, reader: &mut Reader<'_>) -> Option<bool> {
    let Value::Bool(on) = &node.value else {
        return reader.wrong_because(node, "true or false", truth(node).or_else(|| unquoted(node)));
    };
    Some(*on)
}

/// What older YAML takes for a truth.
fn truth(node: &Node) -> Option<String> {
    let Value::Text(word) = &node.value else { return None };
    match word.to_ascii_lowercase().as_str() {
        "yes" | "on" | "y" => Some("write true".into()),
        "no" | "off" | "n" => Some("write false".into()),
        _ => None,
    }
}

/// A number of calls or the like that may be zero. Which numbers make sense is the breaker's to say.
pub(crate) fn count(node: &Node, reader: &mut Reader<'_>) -> Option<u32> {
    count_or(node, reader, "a whole number from 0 to 4294967295")
}

/// The same of what cannot be zero, which the breaker says itself if it is.
pub(crate) fn some(node: &Node, reader: &mut Reader<'_>) -> Option<u32> {
    count_or(node, reader, "a whole number from 1 to 4294967295")
}

fn count_or(node: &Node, reader: &mut Reader<'_>, expected: &str) -> Option<u32> {
    match &node.value {
        Value::Integer(number) => u32::try_from(*number).ok().or_else(|| reader.wrong(node, expected)),
        _ => reader.wrong_because(node, expected, as_count(node)),
    }
}

/// How to write what is a whole number but for its form.
pub(crate) fn as_count(node: &Node) -> Option<String> {
    // As a template engine writes it.
    if let Value::Float(number) = &node.value {
        let is_count = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(number);
        return is_count.then(|| format!("write {number}"));
    }
    unquoted(node)
}

pub(crate) fn whole(node: &Node, reader: &mut Reader<'_>) -> Option<i64> {
    match &node.value {
        Value::Integer(number) => {
            i64::try_from(*number).ok().or_else(|| reader.wrong(node, "a whole number of 64 bits"))
        }
        _ => reader.wrong_because(node, "a whole number", unquoted(node)),
    }
}

pub(crate) fn number(node: &Node, reader: &mut Reader<'_>) -> Option<f64> {
    match &node.value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => reader.wrong_because(node, "a number", unquoted(node)),
    }
}

/// A number or a truth in quotes is a text.
fn unquoted(node: &Node) -> Option<String> {
    let Value::Text(text) = &node.value else { return None };
    let text = text.trim();
    let is_value = !matches!(plain(text), Value::Text(_));
    is_value.then(|| format!("write {text} without quotes"))
}

/// A share of calls, as a number; what a person writes as a percentage is answered with the number.
pub(crate) fn share(node: &Node, reader: &mut Reader<'_>) -> Option<f64> {
    if let Value::Integer(1) = node.value {
        let path = reader.path();
        let message = format!("`{path}` is 1, which is all calls");
        let help = "for 1 % write 0.01; if all calls are meant, write 1.0";
        reader.tell(Problem::warning(path, message).at(node.place.clone()).help(help));
    }
    fraction_or(node, reader, "a share of calls such as 0.5, above 0 and at most 1")
}

/// A part of something else, so answered too.
pub(crate) fn fraction(node: &Node, reader: &mut Reader<'_>) -> Option<f64> {
    fraction_or(node, reader, "a share such as 0.2, from 0 to below 1")
}

fn fraction_or(node: &Node, reader: &mut Reader<'_>, expected: &str) -> Option<f64> {
    let why = match (percentage(node), &node.value) {
        (None, Value::Integer(_) | Value::Float(_)) => return number(node, reader),
        (None, _) => unquoted(node),
        (Some(percent), _) => Some(format!("for {percent} % write {}", hundredth(percent))),
    };
    reader.wrong_because(node, expected, why)
}

/// The share that is meant, as a number or a percentage.
pub(crate) fn share_of(node: &Node) -> Option<f64> {
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

/// By its digits: 33.3 / 100 has a few more of them.
fn hundredth(percent: f64) -> f64 {
    format!("{percent}e-2").parse().unwrap_or(percent / 100.0)
}

/// Calls a second: a number above zero.
pub(crate) fn rate(node: &Node, reader: &mut Reader<'_>) -> Option<f64> {
    let expected = "a number of calls a second, above 0";
    match &node.value {
        Value::Integer(number) if *number > 0 => Some(*number as f64),
        Value::Float(number) if *number > 0.0 && number.is_finite() => Some(*number),
        _ => reader.wrong_because(node, expected, unquoted(node)),
    }
}

pub(crate) fn duration(node: &Node, reader: &mut Reader<'_>) -> Option<Duration> {
    let text = match &node.value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => {
            let why = fractional(*number);
            return reader.wrong_because(node, DURATION, why);
        }
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => return reader.wrong(node, DURATION),
    };
    match halfopen::parse_duration(&text) {
        Ok(duration) => Some(duration),
        Err(error) => reader.wrong_because(node, DURATION, Some(error.why().to_owned())),
    }
}

/// The keys whose numbers are seconds by their tradition; with a unit they may be anything.
pub(crate) fn seconds(node: &Node, reader: &mut Reader<'_>) -> Option<Duration> {
    let expected = "a number of seconds such as 30 or 0.5, or a duration such as 500ms";
    let seconds = match &node.value {
        Value::Integer(number) => *number as f64,
        Value::Float(number) => *number,
        Value::Text(text) => {
            return match halfopen::parse_duration(text) {
                Ok(duration) => Some(duration),
                Err(error) => reader.wrong_because(node, expected, Some(error.why().to_owned())),
            };
        }
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => return reader.wrong(node, expected),
    };
    Duration::try_from_secs_f64(seconds).ok().or_else(|| reader.wrong(node, expected))
}

/// Words as they are written: `version: 1.10` is not 1.1.
pub(crate) fn text(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) => Some(node.place.text().to_owned()),
        Value::Null | Value::List(_) | Value::Map(_) => reader.wrong(node, "a text"),
    }
}

/// A list of whatever `read` reads; in an environment variable, separated by commas.
pub(crate) fn list<T>(
    node: &Node,
    reader: &mut Reader<'_>,
    expected: &str,
    read: impl Fn(&Node, &mut Reader<'_>) -> Option<T>,
) -> Option<Vec<Written<T>>> {
    let parts;
    let items = match &node.value {
        Value::List(items) => items,
        Value::Text(_) | Value::Bool(_) | Value::Integer(_) | Value::Float(_) if is_terse(node) => {
            parts = split(&node.place);
            &parts
        }
        Value::Text(_) | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {
            return reader.wrong_because(node, expected, Some(format!("write [{}]", node.place.text())));
        }
        Value::Null | Value::Map(_) => return reader.wrong(node, expected),
    };
    let mut all = Vec::new();
    for (place, item) in items.iter().enumerate() {
        all.extend(reader.within(&place.to_string(), |reader| {
            let value = read(item, reader)?;
            Some(Written::new(value, reader.origin(item.place.clone())))
        }));
    }
    Some(all)
}

fn is_terse(node: &Node) -> bool {
    matches!(node.place.kind(), SourceKind::Variable | SourceKind::Code)
}

fn split(place: &Place) -> Vec<Node> {
    let mut start = place.start();
    let parts = place.text().split(',').map(|part| {
        let skipped = part.len() - part.trim_start().len();
        let begin = start + skipped;
        start += part.len() + 1;
        let part = part.trim();
        Node { value: plain(part), place: Place::new(place.source(), begin, begin + part.len()) }
    });
    parts.filter(|node| !node.place.text().is_empty()).collect()
}

/// What a bare word means where there is no format to say it.
pub(crate) fn plain(text: &str) -> Value {
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match (text.parse(), text.parse::<f64>()) {
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
