//! Documents: what they say, what is wrong with them, and how a registry follows them.

mod golden;
mod layers;
mod live;
mod round;
mod seeds;
