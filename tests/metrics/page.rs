use std::collections::BTreeMap;
use std::fmt;

/// A page in Prometheus' text format, parsed strictly.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) types: BTreeMap<String, String>,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Page {
    /// Parses a page.
    ///
    /// # Panics
    ///
    /// At the first line that is not valid in the format.
    pub(crate) fn parse(text: &str) -> Page {
        let mut page = Page::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            match line.strip_prefix("# ") {
                Some(comment) => page.comment(comment),
                None => page.samples.push(Sample::parse(line).unwrap_or_else(|| panic!("no sample: {line}"))),
            }
        }
        page
    }

    fn comment(&mut self, comment: &str) {
        let (word, rest) = comment.split_once(' ').expect("a comment has a word");
        let (name, text) = rest.split_once(' ').expect("and is about a metric");
        match word {
            "TYPE" => assert!(self.types.insert(name.into(), text.into()).is_none(), "{name} is typed twice"),
            "HELP" => {}
            other => panic!("unknown comment {other}"),
        }
    }

    /// The value of the one series with this name and these labels.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self.samples.iter().filter(|sample| sample.is(name, labels));
        let value = found.next()?.value;
        assert!(found.next().is_none(), "{name} {labels:?} is there twice");
        Some(value)
    }

    /// The series that have this label.
    pub(crate) fn with(&self, label: &str, value: &str) -> Vec<&Sample> {
        self.samples.iter().filter(|sample| sample.labels.get(label).is_some_and(|is| is == value)).collect()
    }
}

impl Sample {
    fn parse(line: &str) -> Option<Sample> {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, parse_labels(labels.strip_suffix('}')?)?),
            None => (series, BTreeMap::new()),
        };
        Some(Sample { name: name.into(), labels, value: value.parse().ok()? })
    }

    fn is(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        let same = |(label, value): &(&str, &str)| self.labels.get(*label).is_some_and(|is| is == value);
        self.name == name && self.labels.len() == labels.len() && labels.iter().all(same)
    }
}

fn parse_labels(mut text: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    while !text.is_empty() {
        let (label, rest) = text.split_once("=\"")?;
        let end = end_of_value(rest)?;
        if labels.insert(label.to_owned(), unescape(&rest[..end])?).is_some() {
            return None;
        }
        text = rest[end + 1..].strip_prefix(',').unwrap_or(&rest[end + 1..]);
    }
    Some(labels)
}

/// The value with its escapes resolved, of which there are three.
fn unescape(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        value.push(match character {
            '\\' => match characters.next()? {
                'n' => '\n',
                escaped @ ('"' | '\\') => escaped,
                _ => return None,
            },
            plain => plain,
        });
    }
    Some(value)
}

/// The position of the first quote that is not escaped.
fn end_of_value(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(place, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(place)
    })
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Sample { name, labels, value } in &self.samples {
            writeln!(f, "{name} {labels:?} {value}")?;
        }
        Ok(())
    }
}

#[test]
fn a_page_is_read() {
    let page = Page::parse("# TYPE a counter\na{x=\"1\",y=\"q\\\"{} ,\"} 2\nb NaN\nc{x=\"\\\\n\"} 1\n");
    assert_eq!(page.types["a"], "counter");
    assert_eq!(page.value("a", &[("x", "1"), ("y", "q\"{} ,")]), Some(2.0));
    assert!(page.value("b", &[]).unwrap().is_nan());
    assert_eq!(page.value("a", &[("x", "1")]), None);
    assert_eq!(page.value("c", &[("x", "\\n")]), Some(1.0), "a backslash and an n, not a new line");
}
