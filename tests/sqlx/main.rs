//! `halfopen-sqlx` against real PostgreSQL and MariaDB servers, which the tests start, freeze, fill, demote and kill.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod document;
mod mariadb;
mod postgres;
mod servers;
mod shapes;
mod sqlite;
mod world;
