use super::*;

fn outcomes<E: NatsError>(kinds: impl IntoIterator<Item = E>) -> Vec<Outcome> {
    kinds.into_iter().map(|error| outcome(&error)).collect()
}

#[test]
fn connections_differ_in_outage_and_configuration() {
    use ConnectErrorKind as Kind;
    let away = [Kind::Io, Kind::TimedOut, Kind::Dns, Kind::MaxReconnects];
    assert_eq!(outcomes(away.map(ConnectError::from)), [Outcome::Failure; 4]);
    let wrong = [Kind::Tls, Kind::AuthorizationViolation, Kind::Authentication, Kind::ServerParse];
    assert_eq!(outcomes(wrong.map(ConnectError::from)), [Outcome::Ignored; 4]);
}

#[test]
fn a_request_has_the_outcome_of_its_publish() {
    let large = RequestError::from(PublishError::from(PublishErrorKind::MaxPayloadExceeded));
    let sent = RequestError::from(PublishError::from(PublishErrorKind::Send));
    let inbox = RequestError::from(SubscribeError::from(SubscribeErrorKind::InvalidSubject));
    assert_eq!(outcomes([large, sent, inbox]), [Outcome::Ignored, Outcome::Failure, Outcome::Ignored]);
}

#[test]
fn messages_of_a_consumer_differ_in_outage_and_limit() {
    use MessagesErrorKind as Kind;
    let away = [Kind::MissingHeartbeat, Kind::Pull, Kind::NoResponders, Kind::Other];
    assert_eq!(outcomes(away.map(MessagesError::from)), [Outcome::Failure; 4]);
    let wrong = [Kind::ConsumerDeleted, Kind::PushBasedConsumer, Kind::RequestLimitExceeded];
    assert_eq!(outcomes(wrong.map(MessagesError::from)), [Outcome::Ignored; 3]);
}

#[test]
fn rejections_are_ignored_and_found() {
    let rejected = || Rejected::new("orders", halfopen::RejectReason::Open, None);
    let core = PublishError::not_made(rejected());
    let stream = jetstream::context::PublishError::not_made(rejected());
    assert_eq!([outcome(&core), outcome(&stream)], [Outcome::Ignored; 2]);
    assert_eq!(halfopen::rejection(&stream).unwrap().name(), "orders");
}
