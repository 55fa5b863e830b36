#![doc = include_str!("../README.md")]

mod listener;
mod rejections;

pub use listener::{TARGET, TracingListener};
