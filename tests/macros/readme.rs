//! The examples of the page of `halfopen-macros`, which cannot depend on the core.
#![doc = include_str!("../../crates/halfopen-macros/README.md")]
