//! What is known of a dependency beside the outcomes in a window.

mod in_flight;

pub(crate) use in_flight::InFlight;
