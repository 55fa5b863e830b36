//! The outcomes of calls whose responses have a body.

mod answers;
mod deadline;
mod errors;
mod grpc;
mod panics;
mod passed;
mod plain;
mod probes;
mod scene;
mod time;
