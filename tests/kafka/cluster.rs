//! A cluster of mock brokers. Its argument is the address on which it takes commands, one per connection:
//! `bootstrap`, `topic NAME PARTITIONS`, `missing NAME`, `down`, `up`, `produce ERROR COUNT`, `clear`.
#![allow(clippy::unwrap_used, reason = "a helper of tests")]
#![allow(clippy::print_stdout, reason = "the test reads it")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr as Code};

type Cluster = MockCluster<'static, DefaultProducerContext>;

const ALL_BROKERS: i32 = -1;

fn main() {
    let address = std::env::args().nth(1).expect("the address for commands");
    // Taken by another process: the test tries the next one.
    let Ok(listener) = TcpListener::bind(address) else { return };
    let cluster = Cluster::new(1).unwrap();
    println!("ready");
    for connection in listener.incoming() {
        answer(&cluster, connection.unwrap());
    }
}

fn answer(cluster: &Cluster, mut connection: TcpStream) {
    let mut command = String::new();
    BufReader::new(&connection).read_line(&mut command).unwrap();
    let reply = match command.split_whitespace().collect::<Vec<_>>()[..] {
        ["bootstrap"] => cluster.bootstrap_servers(),
        ["topic", name, partitions] => done(cluster.create_topic(name, partitions.parse().unwrap(), 1)),
        ["missing", name] => done(cluster.topic_error(name, Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)),
        ["down"] => done(cluster.broker_down(ALL_BROKERS)),
        ["up"] => done(cluster.broker_up(ALL_BROKERS)),
        ["produce", error, count] => {
            let errors = vec![code(error); count.parse().unwrap()];
            cluster.request_errors(RDKafkaApiKey::Produce, &errors);
            String::new()
        }
        ["clear"] => {
            cluster.clear_request_errors(RDKafkaApiKey::Produce);
            String::new()
        }
        _ => panic!("no command: {command}"),
    };
    writeln!(connection, "{reply}").unwrap();
}

fn done(result: rdkafka::error::KafkaResult<()>) -> String {
    result.unwrap();
    String::new()
}

fn code(name: &str) -> Code {
    match name {
        "ClusterAuthorizationFailed" => Code::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
        "InvalidRecord" => Code::RD_KAFKA_RESP_ERR_INVALID_RECORD,
        "KafkaStorageError" => Code::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
        "LeaderNotAvailable" => Code::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        "MessageSizeTooLarge" => Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
        "NotEnoughReplicas" => Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        "PolicyViolation" => Code::RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
        "RequestTimedOut" => Code::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        "ThrottlingQuotaExceeded" => Code::RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED,
        "TopicAuthorizationFailed" => Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        "Unknown" => Code::RD_KAFKA_RESP_ERR_UNKNOWN,
        _ => panic!("no error: {name}"),
    }
}
