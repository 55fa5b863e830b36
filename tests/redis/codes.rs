//! Each code of the table that a real server can be made to return.

use halfopen::Outcome;
use halfopen_redis::RedisClassify;
use redis::{AsyncCommands, RedisResult, cmd, pipe};
use test_support::redis::{Admin, RedisServer};

use crate::world::{Guarded, manager};

#[tokio::test]
async fn a_miss_and_an_error_of_the_caller_are_successes() {
    let Some(server) = RedisServer::start() else { return };
    let mut guarded = Guarded::to(&server).await;
    let connection = &mut guarded.connection;
    assert_eq!(connection.get::<_, Option<String>>("no such key").await, Ok(None));
    connection.get::<_, i64>("no such key").await.unwrap_err();
    let () = connection.set("text", "seven").await.unwrap();
    connection.lpush::<_, _, i64>("text", 1).await.unwrap_err(); // WRONGTYPE
    connection.incr::<_, _, i64>("text", 1).await.unwrap_err(); // ERR
    assert_eq!(guarded.ended(), ["success"; 5].join(" "));
}

#[tokio::test]
async fn a_full_server_fails_writes_and_serves_reads() {
    let Some(server) = RedisServer::start() else { return };
    let mut guarded = Guarded::to(&server).await;
    server.fill();
    let connection = &mut guarded.connection;
    connection.get::<_, Option<String>>("key").await.unwrap();
    assert_eq!(code_of(connection.set::<_, _, ()>("key", 1).await), "OOM");
    pipe().get("key").set("key", 1).query_async::<()>(connection).await.unwrap_err();
    assert_eq!(guarded.ended(), "success failure failure");

    guarded.breaker().reset();
    let aborted = pipe().atomic().set("key", 1).query_async::<()>(&mut guarded.connection).await.unwrap_err();
    assert_eq!(aborted.code(), Some("EXECABORT"), "the code of the outside hides the one that counts");
    assert_eq!(guarded.ended(), "success failure failure failure");
    let ignored_errors =
        pipe().set("key", 1).ignore_errors().query_async::<Vec<redis::Value>>(&mut guarded.connection).await;
    assert!(ignored_errors.is_ok());
    assert_eq!(
        guarded.ended(),
        "success failure failure failure failure",
        "the caller's choice changes no outcome"
    );
}

#[tokio::test]
async fn a_demoted_server_fails_writes_in_pipelines_too() {
    let Some(server) = RedisServer::start() else { return };
    let mut guarded = Guarded::to(&server).await;
    server.demote();
    assert_eq!(code_of(guarded.connection.set::<_, _, ()>("key", 1).await), "READONLY");
    pipe().set("key", 1).query_async::<()>(&mut guarded.connection).await.unwrap_err();
    pipe().atomic().set("key", 1).query_async::<()>(&mut guarded.connection).await.unwrap_err();
    assert_eq!(guarded.ended(), "failure failure failure");
    assert!(guarded.breaker().is_open());

    let reads = RedisClassify::new().code("READONLY", Outcome::Success);
    guarded.breaker().reset();
    let mut reading = guarded.connection.clone().classify(reads);
    assert_eq!(code_of(reading.set::<_, _, ()>("key", 1).await), "READONLY");
    assert_eq!(guarded.ended(), "success failure failure failure");

    server.promote();
    let () = guarded.connection.set("key", 1).await.unwrap();
    assert_eq!(guarded.ended(), "success success failure failure failure");
}

#[tokio::test]
async fn a_replica_that_has_lost_its_primary_is_a_failure() {
    let Some(server) = RedisServer::with(&["--replica-serve-stale-data", "no"]) else { return };
    let mut guarded = Guarded::to(&server).await;
    server.demote();
    assert_eq!(code_of(guarded.connection.get::<_, Option<String>>("key").await), "MASTERDOWN");
    assert_eq!(guarded.ended(), "failure");
}

#[tokio::test]
async fn a_script_that_runs_too_long_is_a_failure_of_others() {
    let Some(server) = RedisServer::with(&["--busy-reply-threshold", "1"]) else { return };
    let mut guarded = Guarded::to(&server).await;
    let mut busy = Admin::connect(server.address());
    busy.send(&["EVAL", "while true do end", "0"]);
    let error = loop {
        // Before the script starts the server answers all commands; from then until the threshold it answers
        // none.
        if let Err(error) = guarded.connection.get::<_, Option<String>>("key").await {
            break error;
        }
    };
    assert_eq!(error.code(), Some("BUSY"));
    assert_eq!(guarded.breaker().snapshot().totals.failures, 1);
    server.command(&["SCRIPT", "KILL"]);
    while guarded.connection.clone().into_inner().get::<_, Option<String>>("key").await.is_err() {}
    guarded.connection.get::<_, Option<String>>("key").await.unwrap();
}

#[tokio::test]
async fn too_few_replicas_fail_writes() {
    let Some(server) = RedisServer::with(&["--min-replicas-to-write", "1"]) else { return };
    let mut guarded = Guarded::to(&server).await;
    assert_eq!(code_of(guarded.connection.set::<_, _, ()>("key", 1).await), "NOREPLICAS");
    guarded.connection.get::<_, Option<String>>("key").await.unwrap();
    assert_eq!(guarded.ended(), "success failure");
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_fails_writes() {
    let Some(server) = RedisServer::start() else { return };
    let mut guarded = Guarded::to(&server).await;
    // A folder in place of the file to which a save renames its result.
    std::fs::create_dir(server.folder().join("dump.rdb")).unwrap();
    server.command(&["CONFIG", "SET", "save", "3600 1000000"]);
    server.command(&["BGSAVE"]);
    while !server.command(&["INFO", "persistence"]).contains("rdb_last_bgsave_status:err") {}
    assert_eq!(code_of(guarded.connection.set::<_, _, ()>("key", 1).await), "MISCONF");
    guarded.connection.get::<_, Option<String>>("key").await.unwrap();
    assert_eq!(guarded.ended(), "success failure");
}

#[tokio::test]
async fn a_connection_without_its_password_is_a_failure() {
    let Some(server) = RedisServer::with(&["--requirepass", "secret"]) else { return };
    let mut guarded = Guarded::new(manager(server.url()));
    assert_eq!(code_of(guarded.connection.get::<_, Option<String>>("key").await), "NOAUTH");
    assert_eq!(guarded.ended(), "failure");
}

#[tokio::test]
async fn a_wrong_password_is_a_failure_by_default() {
    let Some(server) = RedisServer::with(&["--requirepass", "secret"]) else { return };
    let url = format!("redis://:wrong@{}/", server.address());
    let mut guarded = Guarded::new(manager(url.clone()));
    let error = guarded.connection.get::<_, Option<String>>("key").await.unwrap_err();
    assert_eq!(error.kind(), redis::ErrorKind::AuthenticationFailed);
    assert_eq!(guarded.ended(), "failure");

    let mut ignoring = Guarded::new(manager(url));
    ignoring.connection =
        ignoring.connection.classify(RedisClassify::new().authentication_failed(Outcome::Ignored));
    ignoring.connection.get::<_, Option<String>>("key").await.unwrap_err();
    assert_eq!(ignoring.ended(), "ignored");
}

#[tokio::test]
async fn missing_rights_are_an_answer() {
    let Some(server) = RedisServer::start() else { return };
    let mut guarded = Guarded::to(&server).await;
    server.command(&["ACL", "SETUSER", "default", "-set"]);
    assert_eq!(code_of(guarded.connection.set::<_, _, ()>("key", 1).await), "NOPERM");
    assert_eq!(guarded.ended(), "success");
}

#[tokio::test]
async fn a_slot_without_a_node_fails_and_two_slots_do_not() {
    let Some(server) = RedisServer::with(&["--cluster-enabled", "yes"]) else { return };
    let mut guarded = Guarded::to(&server).await;
    assert_eq!(code_of(guarded.connection.get::<_, Option<String>>("key").await), "CLUSTERDOWN");
    server.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    while !server.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok") {}
    assert_eq!(code_of(guarded.connection.mget::<_, Vec<String>>(&["a", "b"]).await), "CROSSSLOT");
    assert_eq!(guarded.ended(), "success failure");
}

#[tokio::test]
async fn a_server_that_loads_its_data_is_a_failure() {
    // A millisecond per key, with a poll of the sockets after every few bytes.
    let slow = ["--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"];
    let Some(server) = RedisServer::start() else { return };
    server.command(&["DEBUG", "POPULATE", "60000", "key", "100"]);
    server.command(&["CONFIG", "SET", slow[0].trim_start_matches('-'), slow[1]]);
    server.command(&["CONFIG", "SET", slow[2].trim_start_matches('-'), slow[3]]);
    let mut guarded = Guarded::to(&server).await;
    let mut loading = Admin::connect(server.address());
    loading.send(&["DEBUG", "RELOAD"]);
    let error = loop {
        if let Err(error) = cmd("GET").arg("key:1").query_async::<String>(&mut guarded.connection).await {
            break error;
        }
    };
    assert_eq!(error.code(), Some("LOADING"));
    assert_eq!(guarded.breaker().snapshot().totals.failures, 1);
}

#[tokio::test]
async fn an_answer_that_is_not_redis_is_a_failure() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.read(&mut [0; 1024]).await;
            socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
    });
    let mut guarded = Guarded::new(manager(format!("redis://{address}/")));
    guarded.connection.get::<_, Option<String>>("key").await.unwrap_err();
    assert_eq!(guarded.ended(), "failure");
}

fn code_of<T: std::fmt::Debug>(result: RedisResult<T>) -> String {
    result.unwrap_err().code().unwrap_or("no code").to_owned()
}
