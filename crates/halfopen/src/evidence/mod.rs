//! Evidence about a dependency in addition to the outcomes in a window. The calls in flight are filed for every
//! breaker that counts them; the rest belongs to adaptive breakers.

mod adaptive;
mod baseline;
mod belief;
mod flight;
mod in_flight;
#[cfg(all(test, not(loom)))]
mod properties;
mod traffic;

pub(crate) use adaptive::{Adaptive, End, Findings, Known, Mode, Numbers, Opening, Step, Unlocked, WhyRamp};
pub(crate) use belief::Seconds;
pub(crate) use in_flight::InFlight;
pub(crate) use traffic::{Left, Pending, Place, Reading, Traffic};
