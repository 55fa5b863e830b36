//! Records of values that a header names.

use std::borrow::Cow;

use memchr::memchr;

use super::fields::{Field, Fields, Unit};
use super::{LineError, Options};

/// The columns of a file, in order.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    separator: u8,
    fields: Vec<Option<(Field, Unit)>>,
    /// A name that two columns have, if its field is a known one.
    repeated: Option<String>,
}

impl Columns {
    /// Reads a header. Returns [`None`] if it names no time.
    pub(crate) fn of(header: &str, options: &Options) -> Option<Columns> {
        let separator = separator_of(header.as_bytes());
        let names: Vec<_> = values(header, separator).map(|name| name.trim().to_owned()).collect();
        let fields: Vec<_> = names.iter().map(|name| options.known(name)).collect();
        let has_time = fields
            .iter()
            .flatten()
            .any(|(field, _)| matches!(field, Field::Time | Field::Start | Field::End));
        let is_repeated =
            |place: &usize| fields[*place].is_some() && names[..*place].contains(&names[*place]);
        let repeated = (0..names.len()).find(is_repeated).map(|place| names[place].clone());
        (has_time && fields.len() > 1).then_some(Columns { separator, fields, repeated })
    }

    /// Returns an error if two columns have one name: either of them could be meant.
    pub(crate) fn check(self) -> Result<Columns, LineError> {
        match &self.repeated {
            Some(name) => Err(LineError::line(format!("names the column {name:?} twice"))),
            None => Ok(self),
        }
    }

    pub(crate) fn line<'a>(&self, line: &'a str, options: &Options) -> Result<Fields<'a>, LineError> {
        let mut fields = Fields::default();
        let mut found = 0;
        for value in values(line, self.separator) {
            if let Some((field, unit)) = self.fields.get(found).copied().flatten() {
                fields.set(field, unit, value, options);
            }
            found += 1;
        }
        if Quotes::of(line.as_bytes(), self.separator).is_open() {
            return Err(LineError::line("has a quote that is not closed"));
        }
        if found != self.fields.len() {
            let wanted = self.fields.len();
            return Err(LineError::line(format!("has {found} values, must have {wanted} as the header")));
        }
        Ok(fields)
    }
}

/// The rules by which lines are joined to records, as the value of a quoted one may have line breaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records<'a> {
    /// [`None`] before the header.
    pub(crate) columns: Option<&'a Columns>,
}

impl Records<'_> {
    /// Returns the quotes of the first line of a record.
    pub(crate) fn begin(self, line: &[u8]) -> Quotes {
        Quotes::of(line, self.columns.map_or_else(|| separator_of(line), |columns| columns.separator))
    }

    /// Returns whether joined lines are a record: the quotes have closed where a value ends, and no value is missing. Otherwise
    /// the first line has a quote too many, and the others are records of their own.
    pub(crate) fn is_one(self, record: &[u8], quotes: Quotes) -> bool {
        let text = || str::from_utf8(record).unwrap_or_default();
        let has_all = |columns: &Columns| values(text(), columns.separator).count() == columns.fields.len();
        !quotes.is_open() && !quotes.is_stray && self.columns.is_none_or(has_all)
    }
}

/// The quotes of a record so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quotes {
    separator: u8,
    place: Place,
    /// A quoted value had more after its end.
    pub(crate) is_stray: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Start,
    Plain,
    Quoted,
    /// After a quote in a quoted value: it is the end, or the first of two.
    Quote,
}

impl Quotes {
    fn of(line: &[u8], separator: u8) -> Quotes {
        let mut quotes = Quotes { separator, place: Place::Start, is_stray: false };
        if memchr(b'"', line).is_some() {
            quotes.read(line);
        }
        quotes
    }

    /// Returns whether a quoted value is not over.
    pub(crate) fn is_open(self) -> bool {
        self.place == Place::Quoted
    }

    /// Reads on.
    pub(crate) fn read(&mut self, mut text: &[u8]) {
        loop {
            let skipped = match self.place {
                Place::Quoted => memchr(b'"', text).unwrap_or(text.len()),
                Place::Plain => memchr(self.separator, text).unwrap_or(text.len()),
                Place::Start | Place::Quote => 0,
            };
            let [byte, rest @ ..] = &text[skipped..] else { return };
            self.place = match (self.place, *byte) {
                (Place::Quoted, _) => Place::Quote,
                (Place::Quote | Place::Start, b'"') => Place::Quoted,
                (Place::Plain | Place::Start | Place::Quote, byte) if byte == self.separator => Place::Start,
                (Place::Plain | Place::Start, _) => Place::Plain,
                (Place::Quote, _) => {
                    self.is_stray = true;
                    Place::Plain
                }
            };
            text = rest;
        }
    }
}

/// The separator that a header has most of.
fn separator_of(header: &[u8]) -> u8 {
    let count = |separator: &u8| header.iter().filter(|byte| *byte == separator).count();
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

/// The values of a record; one in quotes may contain separators and line breaks, and two quotes for one.
fn values(record: &str, separator: u8) -> impl Iterator<Item = Cow<'_, str>> {
    let mut rest = Some(record);
    std::iter::from_fn(move || {
        let text = rest?;
        let (value, after) = match text.strip_prefix('"') {
            Some(inside) => quoted(inside),
            None => {
                let end = memchr(separator, text.as_bytes()).unwrap_or(text.len());
                (Cow::Borrowed(&text[..end]), &text[end..])
            }
        };
        rest = memchr(separator, after.as_bytes()).map(|end| &after[end + 1..]);
        Some(value)
    })
}

fn quoted(text: &str) -> (Cow<'_, str>, &str) {
    let mut value = Cow::Borrowed("");
    let mut rest = text;
    loop {
        let end = memchr(b'"', rest.as_bytes()).unwrap_or(rest.len());
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
        values(line, b',').map(Cow::into_owned).collect()
    }

    #[test]
    fn quotes_hold_separators_and_quotes() {
        assert_eq!(all(r#"a,"b,c","d ""e""",,f"#), ["a", "b,c", "d \"e\"", "", "f"]);
        assert_eq!(all(r#""open,end"#), ["open,end"]);
        assert_eq!(all("a,\"b\nc\",d"), ["a", "b\nc", "d"]);
        assert_eq!(all(","), ["", ""]);
    }

    #[test]
    fn a_record_goes_on_while_a_quote_is_open() {
        let is_open = |text: &str| Quotes::of(text.as_bytes(), b',').is_open();
        for open in ["\"", "a,\"", "a,\"b,c", "\"a\"\"", "\"a\"\"\"\"", "a,\"b\"\"\n,"] {
            assert!(is_open(open), "{open:?}");
        }
        for whole in ["", "a\"", "a,b\"c\",d", "\"\"", "\"a\"\"b\"", "a,\"b\n\",\"c\"", "\"a\"x\"", "a, \"b"]
        {
            assert!(!is_open(whole), "{whole:?}");
        }
    }

    #[test]
    fn quotes_read_in_parts_are_those_of_the_whole() {
        let text = "a,\"b\"\"c\n,\"\"\",\"d\"x,\"\",e\"\",\"f";
        for at in 0..text.len() {
            let mut parts = Quotes::of(b"", b',');
            parts.read(&text.as_bytes()[..at]);
            parts.read(&text.as_bytes()[at..]);
            let whole = Quotes::of(text.as_bytes(), b',');
            assert_eq!((parts.place, parts.is_stray), (whole.place, whole.is_stray), "split at {at}");
        }
    }
}
