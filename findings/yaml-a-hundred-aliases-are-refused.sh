#!/usr/bin/env bash
# serde-saphyr 2.2.0: a document with 100 aliases of one anchor is refused, whatever their size.
#
# Expected: a document in which 100 breakers start from the same group (`*defaults`) is read; only an expansion out of
# proportion is refused.
# Seen: 99 aliases are read, 100 are an error at the end of the document, in the debug form of an internal type.
# In a configuration: a document that has worked for years is refused with the hundredth entry. The budget has to be set
# by hand, or the number of expanded nodes limited instead.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   serde-saphyr v2.2.0
#   99 aliases: 100 entries
#   100 aliases: error: line 102 column 1: budget breached: AliasAnchorRatio { aliases: 100, anchors: 1 }
#      --> <input>:101:23
#       |
#   100 | service-98: *defaults
#   101 | service-99: *defaults
#       |                      ^ budget breached: AliasAnchorRatio { aliases: 100, anchors: 1 }
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "yaml-a-hundred-aliases-are-refused"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
serde-saphyr = "=2.2.0"

[profile.dev]
debug = 0
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::collections::BTreeMap;

type Document = BTreeMap<String, BTreeMap<String, u64>>;

fn document(aliases: usize) -> String {
    let entries: String = (0..aliases).map(|n| format!("service-{n}: *defaults\n")).collect();
    format!("defaults: &defaults {{ failures: 5 }}\n{entries}")
}

fn main() {
    for aliases in [99, 100] {
        match serde_saphyr::from_str::<Document>(&document(aliases)) {
            Ok(read) => {
                println!("{aliases} aliases: {} entries", read.len());
                assert_eq!((aliases, read.len()), (99, 100));
            }
            Err(error) => {
                println!("{aliases} aliases: {error}");
                assert_eq!(aliases, 100);
            }
        }
    }
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(serde-saphyr) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
