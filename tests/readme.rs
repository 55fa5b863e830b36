//! The examples of the README and of the guide's pages run.
#![doc = include_str!("../README.md")]

#[doc = include_str!("../crates/halfopen/src/guide/error_types.md")]
pub mod error_types {}

#[doc = include_str!("../crates/halfopen/src/guide/attributes.md")]
pub mod attributes {}

#[doc = include_str!("../crates/halfopen/src/guide/mcp.md")]
pub mod mcp {}

#[doc = include_str!("../crates/halfopen/src/guide/services.md")]
pub mod services {}

#[doc = include_str!("../crates/halfopen/src/guide/http_answer.md")]
pub mod http_answer {}

#[doc = include_str!("../crates/halfopen/README.md")]
pub mod core {}
