#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod listener;
mod rejections;

pub use listener::{TARGET, TracingListener};
