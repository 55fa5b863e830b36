//! The fixtures do what their names are.

use std::net::TcpStream;

use test_support::mariadb::MariaDbServer;
use test_support::postgres::PostgresServer;

#[test]
fn postgres_keeps_its_data_over_a_kill_and_a_stop() {
    let Some(mut server) = PostgresServer::start() else { return };
    server.sql("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)");
    server.kill();
    TcpStream::connect(server.address()).unwrap_err();
    server.restart();
    server.sql("INSERT INTO kept VALUES (2)");
    server.stop();
    server.restart();
    assert_eq!(server.sql("SELECT id FROM kept ORDER BY id"), "1\n2");
}

#[test]
fn a_standby_of_postgres_follows_until_it_is_promoted() {
    let Some(primary) = PostgresServer::start() else { return };
    primary.sql("CREATE TABLE kept (id int)");
    let standby = primary.standby();
    assert_eq!(standby.sql("SELECT pg_is_in_recovery()"), "t");
    standby.promote();
    standby.sql("INSERT INTO kept VALUES (1)");
}

#[test]
fn postgres_leaves_nothing_behind_when_frozen() {
    let Some(server) = PostgresServer::start() else { return };
    let (address, data) = (server.address(), server.data());
    server.freeze();
    drop(server);
    TcpStream::connect(address).unwrap_err();
    assert!(!data.exists(), "{}", data.display());
}

#[test]
fn mariadb_keeps_its_data_over_a_kill_and_a_stop() {
    let Some(mut server) = MariaDbServer::start() else { return };
    server.sql("CREATE TABLE test.kept (id int); INSERT INTO test.kept VALUES (1)");
    server.kill();
    TcpStream::connect(server.address()).unwrap_err();
    server.restart();
    server.sql("INSERT INTO test.kept VALUES (2)");
    server.stop();
    server.restart();
    server.freeze();
    server.thaw();
    assert_eq!(server.sql("SELECT id FROM test.kept ORDER BY id"), "1\n2");
}
