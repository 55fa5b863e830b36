use std::io;

use redis::parse_redis_value;

use super::*;

fn outcome(error: impl Into<RedisError>) -> Outcome {
    RedisClassify::new().outcome_of(&error.into())
}

/// An error reply, as the parser of the client reads it.
fn reply(line: &str) -> Value {
    parse_redis_value(format!("-{line}\r\n").as_bytes()).expect("an error reply is a value")
}

fn server_error(line: &str) -> RedisError {
    reply(line).extract_error().unwrap_err()
}

#[test]
fn codes_of_a_server_that_cannot_serve_are_failures() {
    for code in CANNOT_SERVE {
        assert_eq!(outcome(server_error(&format!("{code} not now"))), Outcome::Failure, "{code}");
    }
}

#[test]
fn every_other_code_is_an_answer() {
    let codes =
        ["WRONGTYPE", "ERR", "NOSCRIPT", "NOPERM", "EXECABORT", "MOVED", "ASK", "CROSSSLOT", "MINE", "oom"];
    for code in codes {
        assert_eq!(outcome(server_error(&format!("{code} 3999 127.0.0.1:1"))), Outcome::Success, "{code}");
    }
}

#[test]
fn the_worst_reply_of_a_pipeline_counts() {
    let classify = RedisClassify::new().code("MINE", Outcome::Ignored);
    let judge = |lines: &[&str], inside: fn(Vec<Value>) -> Vec<Value>| {
        let replies = lines.iter().map(|line| if *line == "+" { Value::Okay } else { reply(line) });
        classify.classify(&Ok::<_, RedisError>(inside(replies.collect())))
    };
    let ways: [fn(Vec<Value>) -> Vec<Value>; 2] = [|replies| replies, |replies| vec![Value::Array(replies)]];
    for inside in ways {
        assert_eq!(judge(&["+", "+"], inside), Outcome::Success);
        assert_eq!(judge(&["+", "WRONGTYPE no list"], inside), Outcome::Success);
        assert_eq!(judge(&["WRONGTYPE no list", "OOM full", "+"], inside), Outcome::Failure);
        assert_eq!(judge(&["+", "MINE"], inside), Outcome::Ignored);
        assert_eq!(judge(&["MINE", "WRONGTYPE no list"], inside), Outcome::Success);
    }
}

#[test]
fn a_missing_key_is_a_success() {
    assert_eq!(RedisClassify::new().classify(&Ok::<_, RedisError>(Value::Nil)), Outcome::Success);
    let conversion = redis::from_redis_value::<i64>(Value::Nil).unwrap_err();
    assert_eq!(outcome(conversion), Outcome::Success, "a missing key read as a number");
    let text = redis::from_redis_value::<i64>(Value::SimpleString("seven".into())).unwrap_err();
    assert_eq!(outcome(text), Outcome::Success, "a text read as a number");
}

#[test]
fn an_answer_that_is_not_redis_is_a_failure() {
    let result = Err::<Value, _>(parse_redis_value(b"HTTP/1.1 400 Bad Request\r\n").unwrap_err());
    assert_eq!(RedisClassify::new().classify(&result), Outcome::Failure);
    assert_eq!(outcome((ErrorKind::Parse, "parse error")), Outcome::Failure);
}

#[test]
fn a_server_that_is_away_is_a_failure() {
    let kinds = [
        io::ErrorKind::TimedOut,
        io::ErrorKind::BrokenPipe,
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::UnexpectedEof,
        io::ErrorKind::Other,
    ];
    for kind in kinds {
        assert_eq!(outcome(io::Error::from(kind)), Outcome::Failure, "{kind:?}");
    }
    for kind in [
        ErrorKind::ClusterConnectionNotFound,
        ErrorKind::MasterNameNotFoundBySentinel,
        ErrorKind::NoValidReplicasFoundBySentinel,
        ErrorKind::AuthenticationFailed,
    ] {
        assert_eq!(outcome((kind, "as seen")), Outcome::Failure, "{kind:?}");
    }
}

#[test]
fn errors_made_by_the_client_are_ignored() {
    for kind in [
        ErrorKind::UnexpectedReturnType,
        ErrorKind::Client,
        ErrorKind::InvalidClientConfig,
        ErrorKind::EmptySentinelList,
        ErrorKind::RESP3NotSupported,
    ] {
        assert_eq!(outcome((kind, "as seen")), Outcome::Ignored, "{kind:?}");
    }
}

#[test]
fn a_rejection_from_further_in_is_ignored() {
    let rejected = halfopen::Rejected::new("inner", halfopen::RejectReason::Open, None);
    assert_eq!(outcome(io::Error::other(rejected)), Outcome::Ignored);
}

#[test]
fn configured_codes_replace_those_of_the_table() {
    let classify = RedisClassify::new()
        .code("READONLY", Outcome::Failure)
        .code("READONLY", Outcome::Success)
        .code("NOPERM", Outcome::Failure)
        .authentication_failed(Outcome::Ignored);
    assert_eq!(classify.outcome_of(&server_error("READONLY replica")), Outcome::Success);
    assert_eq!(classify.outcome_of(&server_error("NOPERM no rights")), Outcome::Failure);
    let authentication = (ErrorKind::AuthenticationFailed, "wrong password").into();
    assert_eq!(classify.outcome_of(&authentication), Outcome::Ignored);
}

#[test]
fn descriptions_have_no_text_of_the_server() {
    let describe = |result: Result<Vec<Value>, RedisError>| RedisClassify::new().describe(&result).unwrap();
    assert_eq!(describe(Err(server_error("OOM command not allowed: SET secret"))), "OOM");
    assert_eq!(describe(Ok(vec![Value::Okay, reply("OOM command not allowed")])), "OOM");
    assert_eq!(describe(Err(io::Error::from(io::ErrorKind::BrokenPipe).into())), "broken pipe");
}
