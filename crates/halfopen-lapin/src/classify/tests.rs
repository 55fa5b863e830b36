use std::io;

use halfopen::{RejectReason, Rejected};
use lapin::ConnectionState;

use super::*;

fn outcomes<const N: usize>(kinds: [ErrorKind; N]) -> [Outcome; N] {
    kinds.map(|kind| outcome(&kind.into()))
}

fn protocol(kind: impl Into<AMQPErrorKind>) -> ErrorKind {
    ErrorKind::ProtocolError(AMQPError::new(kind.into(), "".into()))
}

#[test]
fn a_channel_that_an_earlier_error_closed_is_ignored() {
    let of = |state| ErrorKind::InvalidChannelState(state, "basic.publish");
    let lost = [of(ChannelState::Error), of(ChannelState::Reconnecting)];
    assert_eq!(outcomes(lost), [Outcome::Failure; 2]);
    assert_eq!(outcomes([of(ChannelState::Closing), of(ChannelState::Closed)]), [Outcome::Ignored; 2]);
    let connection = ErrorKind::InvalidConnectionState(ConnectionState::Connecting);
    assert_eq!(outcomes([connection]), [Outcome::Failure]);
}

#[test]
fn codes_of_the_protocol_differ_in_broker_and_caller() {
    let broker = [
        protocol(AMQPHardError::CONNECTIONFORCED),
        protocol(AMQPHardError::INTERNALERROR),
        protocol(AMQPHardError::RESOURCEERROR),
        protocol(AMQPSoftError::RESOURCELOCKED),
    ];
    assert_eq!(outcomes(broker), [Outcome::Failure; 4]);
    let caller = [
        protocol(AMQPSoftError::NOTFOUND),
        protocol(AMQPSoftError::ACCESSREFUSED),
        protocol(AMQPSoftError::PRECONDITIONFAILED),
        protocol(AMQPSoftError::CONTENTTOOLARGE),
        protocol(AMQPHardError::NOTALLOWED),
    ];
    assert_eq!(outcomes(caller), [Outcome::Ignored; 5]);
}

#[test]
fn an_ok_of_the_client_can_be_a_failure() {
    let of = |confirm| LapinClassify::new().classify(&confirmed(Ok(confirm)));
    assert_eq!(of(Confirmation::Ack(None)), Outcome::Success);
    assert_eq!(of(Confirmation::Nack(None)), Outcome::Failure);
    assert_eq!(of(Confirmation::NotRequested), Outcome::Ignored);
}

#[test]
fn a_rejection_inside_the_clients_error_is_ignored() {
    let rejected = Rejected::new("orders", RejectReason::Open, None);
    assert_eq!(outcome(&io::Error::other(rejected).into()), Outcome::Ignored);
    let own = PublishError::Rejected(Rejected::new("orders", RejectReason::Open, None));
    assert_eq!(LapinClassify::new().outcome_of(&own), Outcome::Ignored);
    assert_eq!(halfopen::rejection(&own).unwrap().name(), "orders");
}
