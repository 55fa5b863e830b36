#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod classify;
mod client;
mod connect;
mod connection;
mod error;
mod failover;
#[cfg(feature = "server")]
mod server;

pub use classify::{connect_outcome, outcome};
pub use client::McpServer;
#[cfg(feature = "child-process")]
pub use connect::ChildProcess;
#[cfg(feature = "http")]
pub use connect::StreamableHttp;
pub use connect::{Connect, default_mode};
pub use connection::Connection;
pub use error::{ConnectError, McpCallError};
pub use failover::{Failover, failover};
#[cfg(feature = "server")]
pub use server::ToolGuard;
