//! Lines of values that a header names.

use std::borrow::Cow;

use super::fields::{Field, Fields, Unit};
use super::{LineError, Options};
use crate::call::LoggedCall;

/// The columns of a file, in order.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    separator: char,
    fields: Vec<Option<(Field, Unit)>>,
}

impl Columns {
    /// Reads a header. Returns [`None`] if it names no time.
    pub(crate) fn of(header: &str, options: &Options) -> Option<Columns> {
        let separator = [',', ';', '\t'].into_iter().max_by_key(|it| header.matches(*it).count())?;
        let named = |name: Cow<'_, str>| options.known(name.trim());
        let fields: Vec<_> = values(header.trim_start_matches('\u{feff}'), separator).map(named).collect();
        let has_time = fields
            .iter()
            .flatten()
            .any(|(field, _)| matches!(field, Field::Time | Field::Start | Field::End));
        (has_time && fields.len() > 1).then_some(Columns { separator, fields })
    }

    pub(crate) fn line<'a>(&self, line: &'a str, options: &Options) -> Result<LoggedCall<'a>, LineError> {
        let mut fields = Fields::default();
        let mut found = 0;
        for value in values(line, self.separator) {
            if let Some((field, unit)) = self.fields.get(found).copied().flatten() {
                fields.set(field, unit, value, options);
            }
            found += 1;
        }
        if found != self.fields.len() {
            let wanted = self.fields.len();
            return Err(LineError::line(format!("has {found} values, must have {wanted} as the header")));
        }
        fields.into_call(options)
    }
}

/// The values of a line; one in quotes may contain separators, and two quotes for one.
fn values(line: &str, separator: char) -> impl Iterator<Item = Cow<'_, str>> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest?;
        let (value, after) = match text.strip_prefix('"') {
            Some(inside) => quoted(inside),
            None => {
                let end = text.find(separator).unwrap_or(text.len());
                (Cow::Borrowed(&text[..end]), &text[end..])
            }
        };
        rest = after.find(separator).map(|end| &after[end + separator.len_utf8()..]);
        Some(value)
    })
}

fn quoted(text: &str) -> (Cow<'_, str>, &str) {
    let mut value = Cow::Borrowed("");
    let mut rest = text;
    loop {
        let end = rest.find('"').unwrap_or(rest.len());
        value += &rest[..end];
        let Some(after) = rest[end..].strip_prefix("\"\"") else {
            return (value, rest.get(end + 1..).unwrap_or_default());
        };
        value += "\"";
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(line: &str) -> Vec<String> {
        values(line, ',').map(Cow::into_owned).collect()
    }

    #[test]
    fn quotes_hold_separators_and_quotes() {
        assert_eq!(all(r#"a,"b,c","d ""e""",,f"#), ["a", "b,c", "d \"e\"", "", "f"]);
        assert_eq!(all(r#""open,end"#), ["open,end"]);
        assert_eq!(all(","), ["", ""]);
    }
}
