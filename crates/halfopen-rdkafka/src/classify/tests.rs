use halfopen::{RejectReason, Rejected};

use super::*;

fn produced<const N: usize>(codes: [Code; N]) -> [Outcome; N] {
    codes.map(|code| outcome(&KafkaError::MessageProduction(code)))
}

#[test]
fn a_broker_that_cannot_serve_is_a_failure() {
    let away = [
        Code::MessageTimedOut,
        Code::QueueFull,
        Code::BrokerTransportFailure,
        Code::AllBrokersDown,
        Code::Resolve,
        Code::OperationTimedOut,
        Code::RequestTimedOut,
        Code::ThrottlingQuotaExceeded,
        Code::NotEnoughReplicas,
        Code::LeaderNotAvailable,
        Code::KafkaStorageError,
        Code::Unknown,
        Code::Fatal,
    ];
    assert_eq!(produced(away), [Outcome::Failure; 13]);
}

#[test]
fn a_mistake_of_the_caller_is_ignored() {
    let caller = [
        Code::UnknownTopic,
        Code::UnknownTopicOrPartition,
        Code::UnknownPartition,
        Code::MessageSizeTooLarge,
        Code::InvalidRecord,
        Code::PolicyViolation,
        Code::TopicAuthorizationFailed,
        Code::ClusterAuthorizationFailed,
        Code::ProducerFenced,
        Code::PurgeQueue,
    ];
    assert_eq!(produced(caller), [Outcome::Ignored; 10]);
    assert_eq!(outcome(&KafkaError::Canceled), Outcome::Ignored);
}

#[test]
fn the_notes_of_a_consumer_are_ignored() {
    for code in [Code::BrokerTransportFailure, Code::AllBrokersDown, Code::Resolve] {
        assert_eq!(outcome(&KafkaError::MessageConsumption(code)), Outcome::Ignored, "{code}");
        assert_eq!(outcome(&KafkaError::MetadataFetch(code)), Outcome::Failure, "{code}");
    }
    assert_eq!(outcome(&KafkaError::MessageConsumption(Code::KafkaStorageError)), Outcome::Failure);
}

#[test]
fn a_rejection_is_ignored_and_can_be_found() {
    let error = ProduceError::Rejected(Rejected::new("orders", RejectReason::Open, None));
    assert_eq!(KafkaClassify::new().outcome_of(&error), Outcome::Ignored);
    assert_eq!(halfopen::rejection(&error).unwrap().name(), "orders");
}
