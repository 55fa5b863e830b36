//! The README's examples run.
#![doc = include_str!("../README.md")]
