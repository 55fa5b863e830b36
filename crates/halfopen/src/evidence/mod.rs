//! Evidence about a dependency in addition to the outcomes in a window.

mod in_flight;

pub(crate) use in_flight::InFlight;
