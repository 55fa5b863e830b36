//! What adapters for clients and servers are made of.
//!
//! Programs need none of it: it is public for crates that put a breaker around a client or a server.

pub use crate::breaker::WeakCircuitBreaker;
pub use crate::error::search::{error_as, error_chain, error_in, rejection_in};
pub use crate::panics::catch_panic;
pub use crate::printable::{Printable, is_printable};
pub use crate::stream_end::StreamEnd;
