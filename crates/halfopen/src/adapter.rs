//! What adapters for clients and servers are made of.
//!
//! Programs need none of it: it is public for crates that put a breaker around somebody else's client.

pub use crate::panics::catch_panic;
pub use crate::printable::{Printable, is_printable};
