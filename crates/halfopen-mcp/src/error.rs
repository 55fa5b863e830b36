use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use halfopen::{BoxError, Rejected};
use rmcp::ServiceError;
use rmcp::service::ClientInitializeError;

/// The error of a call to an MCP server.
#[derive(Debug)]
#[non_exhaustive]
pub enum McpCallError {
    /// A breaker or the bulkhead rejected the call, which was not made.
    Rejected(Rejected),
    /// There was no connection, and none could be made.
    Connect(ConnectError),
    /// The call was made, and ended with an error.
    Call(ServiceError),
    /// The call was made, and had no answer within this time.
    Timeout(Duration),
}

/// The error of a connection that could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The program of the server could not be started.
    Spawn(io::Error),
    /// The server was reached, and the session did not begin.
    Initialize(Box<ClientInitializeError>),
    /// The session did not begin within this time.
    Timeout(Duration),
    /// An error of the program's own [`Connect`](crate::Connect).
    Other(BoxError),
}

impl McpCallError {
    /// Returns the rejection, or [`None`] if the call was made.
    pub fn rejected(&self) -> Option<&Rejected> {
        match self {
            McpCallError::Rejected(rejected) => Some(rejected),
            McpCallError::Connect(_) | McpCallError::Call(_) | McpCallError::Timeout(_) => None,
        }
    }

    /// Returns true if the server has certainly not received the call, so that it can be made elsewhere.
    pub fn is_unsent(&self) -> bool {
        match self {
            McpCallError::Rejected(_) | McpCallError::Connect(_) => true,
            McpCallError::Call(error) => crate::classify::is_unsent(error),
            McpCallError::Timeout(_) => false,
        }
    }
}

impl From<Rejected> for McpCallError {
    fn from(rejected: Rejected) -> Self {
        McpCallError::Rejected(rejected)
    }
}

impl From<ClientInitializeError> for ConnectError {
    fn from(error: ClientInitializeError) -> Self {
        ConnectError::Initialize(Box::new(error))
    }
}

impl fmt::Display for McpCallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            McpCallError::Rejected(_) => f.write_str("call rejected"),
            McpCallError::Connect(_) => f.write_str("no connection to the MCP server"),
            McpCallError::Call(_) => f.write_str("call failed"),
            McpCallError::Timeout(limit) => {
                write!(f, "no answer within {}", halfopen::format_duration(*limit))
            }
        }
    }
}

impl Error for McpCallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            McpCallError::Rejected(rejected) => Some(rejected),
            McpCallError::Connect(error) => Some(error),
            McpCallError::Call(error) => Some(error),
            McpCallError::Timeout(_) => None,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::Spawn(_) => f.write_str("the program of the server cannot be started"),
            ConnectError::Initialize(_) => f.write_str("the session did not begin"),
            ConnectError::Timeout(limit) => {
                write!(f, "the session did not begin within {}", halfopen::format_duration(*limit))
            }
            ConnectError::Other(_) => f.write_str("the connection failed"),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ConnectError::Spawn(error) => Some(error),
            ConnectError::Initialize(error) => Some(&**error),
            ConnectError::Timeout(_) => None,
            ConnectError::Other(error) => Some(&**error),
        }
    }
}
