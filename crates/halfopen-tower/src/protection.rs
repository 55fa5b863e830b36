//! The parts of a [`ProtectionLayer`]: the limits, the breaker and the timeout of a
//! [`Protection`](halfopen_limit::Protection), looked up for each call.

mod admission;
mod layer;
mod service;
mod timeout;

pub use self::admission::Followed;
pub use self::layer::ProtectionLayer;
pub use self::service::{ProtectionFuture, ProtectionService};
pub use self::timeout::{CallTimedOut, TimeoutFuture, TimeoutService};
