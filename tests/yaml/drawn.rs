//! Random texts: documents made of values, of tokens, and chosen documents with mutations.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::texts::{DOCUMENTS, SCALARS, TAGS};

/// A value in its written form.
#[derive(Clone, Debug)]
enum Drawn {
    Scalar(&'static str),
    Alias(u8),
    Anchored(u8, Box<Drawn>),
    Tagged(&'static str, Box<Drawn>),
    List(bool, Vec<Drawn>),
    Map(bool, Vec<(Key, Drawn)>),
}

#[derive(Clone, Debug)]
enum Key {
    Word(&'static str),
    Merge,
    Alias(u8),
    Value(Box<Drawn>),
}

pub(crate) fn document() -> impl Strategy<Value = String> {
    let comments = select(vec!["", "# a comment\n", "---\n", "\n\n"]);
    let entries = prop::collection::vec((key(value().boxed()), value()), 1..6);
    (comments, entries).prop_map(|(before, entries)| {
        let mut text = before.to_owned();
        // Anchors of these names come before all others, so that most aliases have one.
        text.push_str("x-0: &a0 1\nx-1: &a1 { a: 1, b: { c: 2 } }\nx-2: &a2 [1, { d: ~ }]\n");
        for (key, value) in &entries {
            write_entry(&mut text, key, value, 0);
        }
        text
    })
}

fn value() -> impl Strategy<Value = Drawn> {
    let leaf = prop_oneof![
        6 => select(SCALARS).prop_map(Drawn::Scalar),
        2 => (0..4_u8).prop_map(Drawn::Alias),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            2 => (any::<bool>(), prop::collection::vec(inner.clone(), 0..4))
                .prop_map(|(flow, items)| Drawn::List(flow, items)),
            5 => (any::<bool>(), prop::collection::vec((key(inner.clone()), inner.clone()), 0..4))
                .prop_map(|(flow, entries)| Drawn::Map(flow, entries)),
            2 => (0..4_u8, inner.clone()).prop_map(|(name, value)| Drawn::Anchored(name, Box::new(value))),
            1 => (select(TAGS), inner).prop_map(|(tag, value)| Drawn::Tagged(tag, Box::new(value))),
        ]
    })
}

fn key(value: BoxedStrategy<Drawn>) -> impl Strategy<Value = Key> {
    prop_oneof![
        6 => select(vec!["a", "b", "c", "1", "0x1", "'1'", "\"a\"", "true", "ü"]).prop_map(Key::Word),
        3 => Just(Key::Merge),
        1 => (0..4_u8).prop_map(Key::Alias),
        1 => value.prop_map(|value| Key::Value(Box::new(value))),
    ]
}

fn write_entry(text: &mut String, key: &Key, value: &Drawn, indent: usize) {
    let margin = " ".repeat(indent);
    match key {
        Key::Word(word) => write!(text, "{margin}{word}:").expect("a string"),
        Key::Merge => write!(text, "{margin}<<:").expect("a string"),
        Key::Alias(name) => write!(text, "{margin}*a{name} :").expect("a string"),
        Key::Value(value) => write!(text, "{margin}? {}\n{margin}:", flow(value)).expect("a string"),
    }
    write_block(text, value, indent);
}

/// Writes a value after `key:` or `-`, and ends its line.
fn write_block(text: &mut String, value: &Drawn, indent: usize) {
    match value {
        Drawn::Anchored(name, value) => {
            write!(text, " &a{name}").expect("a string");
            write_block(text, value, indent);
        }
        Drawn::Tagged(tag, value) => {
            write!(text, " {tag}").expect("a string");
            write_block(text, value, indent);
        }
        Drawn::List(false, items) if !items.is_empty() => {
            text.push('\n');
            for item in items {
                write!(text, "{}-", " ".repeat(indent + 2)).expect("a string");
                write_block(text, item, indent + 2);
            }
        }
        Drawn::Map(false, entries) if !entries.is_empty() => {
            text.push('\n');
            for (key, value) in entries {
                write_entry(text, key, value, indent + 2);
            }
        }
        plain => writeln!(text, " {}", flow(plain)).expect("a string"),
    }
}

fn flow(value: &Drawn) -> String {
    match value {
        Drawn::Scalar(scalar) => (*scalar).to_owned(),
        Drawn::Alias(name) => format!("*a{name}"),
        Drawn::Anchored(name, value) => format!("&a{name} {}", flow(value)),
        Drawn::Tagged(tag, value) => format!("{tag} {}", flow(value)),
        Drawn::List(_, items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Drawn::Map(_, entries) => {
            let entries = entries.iter().map(|(key, value)| match key {
                Key::Word(word) => format!("{word}: {}", flow(value)),
                Key::Merge => format!("<<: {}", flow(value)),
                Key::Alias(name) => format!("*a{name} : {}", flow(value)),
                Key::Value(key) => format!("? {} : {}", flow(key), flow(value)),
            });
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Pieces of the grammar in any order.
pub(crate) fn tokens() -> impl Strategy<Value = String> {
    const TOKENS: &[&str] = &[
        "a",
        "b: ",
        "a: ",
        ": ",
        ":",
        "- ",
        "-",
        "\n",
        "\n",
        "\n  ",
        "\n    ",
        "  ",
        " ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        ",",
        "&x ",
        "*x",
        "*x : ",
        "<<: ",
        "!!int ",
        "!x ",
        "! ",
        "\"",
        "'",
        "|\n",
        ">-\n",
        "|",
        "#",
        " # c\n",
        "---\n",
        "...\n",
        "? ",
        "~",
        "ü",
        "\r\n",
        "\r",
        "\t",
        "0x1f",
        "off",
        "1",
        "1.5",
        "\\n",
        "%YAML 1.2\n",
        "\u{feff}",
        "日",
        "\0",
    ];
    prop::collection::vec(select(TOKENS), 0..24).prop_map(|tokens| tokens.concat())
}

/// A chosen document in which characters are removed, replaced, inserted, or repeated.
pub(crate) fn changed() -> impl Strategy<Value = String> {
    let change = (
        any::<Index>(),
        any::<Index>(),
        select(vec!["", "", " ", "\n", ":", "-", "[", "}", "&x ", "*x ", "'", "\t", "<<"]),
    );
    (select(DOCUMENTS), prop::collection::vec(change, 1..4)).prop_map(|(document, changes)| {
        let mut chars: Vec<char> = document.chars().collect();
        for (from, to, with) in changes {
            let (from, to) = (from.index(chars.len() + 1), to.index(chars.len() + 1));
            let end = if with.is_empty() { from.max(to).min(from + 3) } else { from };
            chars.splice(from.min(end)..end, with.chars());
        }
        chars.into_iter().collect()
    })
}
