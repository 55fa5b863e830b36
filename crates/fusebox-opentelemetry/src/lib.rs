#![doc = include_str!("../README.md")]

mod instruments;
mod series;

pub use instruments::observe;
