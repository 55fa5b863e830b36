//! The errors of the client and their outcomes.

use halfopen::{Classify, Outcome};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;

use crate::error::ProduceError;

/// Classifies the results of deliveries.
///
/// | result | outcome |
/// |---|---|
/// | delivered | success |
/// | no delivery report within the limit | failure |
/// | `MessageTimedOut`: the broker is away, a partition has no leader, or too few replicas | failure |
/// | `QueueFull`: a backlog that does not drain | failure |
/// | `BrokerTransportFailure`, `AllBrokersDown`, `Resolve`, `OperationTimedOut`, `RequestTimedOut`, `ThrottlingQuotaExceeded`, `Unknown`, and other codes of a broker that cannot serve the request | failure |
/// | `UnknownTopic`, `UnknownTopicOrPartition`, `UnknownPartition`, `InvalidTopic` | ignored |
/// | `MessageSizeTooLarge`, `MessageBatchTooLarge`, `InvalidRecord`, `PolicyViolation`, and other codes of one message or request | ignored |
/// | `TopicAuthorizationFailed`, `ClusterAuthorizationFailed`, and other codes of the configuration | ignored |
/// | fenced producers and consumers, rebalances, purged queues | ignored |
/// | a consumer's `BrokerTransportFailure`, `AllBrokersDown` and `Resolve`: the consumer goes on by itself | ignored |
/// | `Canceled`, and other local errors | ignored |
/// | a rejection of a breaker | ignored |
///
/// # Examples
///
/// ```
/// use halfopen::Outcome;
/// use halfopen_rdkafka::KafkaClassify;
/// use rdkafka::error::{KafkaError, RDKafkaErrorCode};
///
/// // A queue that is kept small on purpose: full, it is no evidence about the broker.
/// let classify = KafkaClassify::new().queue_full(Outcome::Ignored);
/// let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
/// assert_eq!(classify.outcome_of(&full.into()), Outcome::Ignored);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KafkaClassify {
    queue_full: Outcome,
}

impl Default for KafkaClassify {
    fn default() -> Self {
        KafkaClassify::new()
    }
}

impl KafkaClassify {
    /// Creates the default rules.
    pub const fn new() -> KafkaClassify {
        KafkaClassify { queue_full: Outcome::Failure }
    }

    /// Sets the outcome of a message for which the queue of the producer has no room. The default is a failure.
    #[must_use]
    pub const fn queue_full(self, outcome: Outcome) -> Self {
        KafkaClassify { queue_full: outcome }
    }

    /// Returns the outcome of a delivery that failed with this error.
    pub fn outcome_of(&self, error: &ProduceError) -> Outcome {
        match error {
            ProduceError::Rejected(_) => Outcome::Ignored,
            ProduceError::TimedOut(_) => Outcome::Failure,
            ProduceError::Client(KafkaError::MessageProduction(Code::QueueFull)) => self.queue_full,
            ProduceError::Client(error) => outcome(error),
        }
    }
}

impl<T> Classify<T, ProduceError> for KafkaClassify {
    fn classify(&self, result: &Result<T, ProduceError>) -> Outcome {
        result.as_ref().map_or_else(|error| self.outcome_of(error), |_| Outcome::Success)
    }

    fn describe(&self, result: &Result<T, ProduceError>) -> Option<String> {
        result.as_ref().err().map(ToString::to_string)
    }
}

/// Returns the outcome of a call of the client that failed with this error, by the table of [`KafkaClassify`].
///
/// # Examples
///
/// ```
/// use halfopen::Outcome;
/// use rdkafka::error::{KafkaError, RDKafkaErrorCode};
///
/// let away = KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut);
/// assert_eq!(halfopen_rdkafka::outcome(&away), Outcome::Failure);
/// let too_large = KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge);
/// assert_eq!(halfopen_rdkafka::outcome(&too_large), Outcome::Ignored);
/// ```
pub fn outcome(error: &KafkaError) -> Outcome {
    match error {
        KafkaError::MessageConsumption(code) => of_consumption(*code),
        KafkaError::AdminOp(code)
        | KafkaError::ConsumerCommit(code)
        | KafkaError::ConsumerQueueClose(code)
        | KafkaError::Flush(code)
        | KafkaError::Global(code)
        | KafkaError::GroupListFetch(code)
        | KafkaError::MessageConsumptionFatal(code)
        | KafkaError::MessageProduction(code)
        | KafkaError::MetadataFetch(code)
        | KafkaError::MockCluster(code)
        | KafkaError::OffsetFetch(code)
        | KafkaError::Rebalance(code)
        | KafkaError::SetPartitionOffset(code)
        | KafkaError::StoreOffset(code) => of_code(*code),
        KafkaError::Transaction(error) => of_code(error.code()),
        KafkaError::AdminOpCreation(_)
        | KafkaError::Canceled
        | KafkaError::ClientConfig(..)
        | KafkaError::ClientCreation(_)
        | KafkaError::NoMessageReceived
        | KafkaError::Nul(_)
        | KafkaError::PartitionEOF(_)
        | KafkaError::PauseResume(_)
        | KafkaError::Seek(_)
        | KafkaError::Subscription(_) => Outcome::Ignored,
        // Errors that later versions of the client add.
        _ => Outcome::Failure,
    }
}

/// Between two messages a consumer returns notes on the state of its connections, again and again.
fn of_consumption(code: Code) -> Outcome {
    match code {
        Code::BrokerTransportFailure | Code::AllBrokersDown | Code::Resolve => Outcome::Ignored,
        other => of_code(other),
    }
}

fn of_code(code: Code) -> Outcome {
    match code {
        // The destination.
        Code::UnknownTopic
        | Code::UnknownTopicOrPartition
        | Code::UnknownPartition
        | Code::InvalidTopic
        | Code::InvalidPartitions
        | Code::InvalidReplicationFactor
        | Code::InvalidReplicaAssignment
        | Code::TopicAlreadyExists
        | Code::TopicDeletionDisabled
        | Code::ResourceNotFound
        | Code::DuplicateResource
        // This message or request.
        | Code::MessageSizeTooLarge
        | Code::MessageBatchTooLarge
        | Code::InvalidMessageSize
        | Code::InvalidRecord
        | Code::InvalidTimestamp
        | Code::InvalidDifferentRecord
        | Code::PolicyViolation
        | Code::InvalidRequest
        | Code::InvalidRequiredAcks
        | Code::InvalidArgument
        | Code::InvalidType
        | Code::InvalidConfig
        | Code::OffsetMetadataTooLarge
        | Code::InvalidCommitOffsetSize
        | Code::OffsetOutOfRange
        | Code::UnsupportedForMessageFormat
        | Code::UnsupportedCompressionType
        | Code::KeySerialization
        | Code::ValueSerialization
        | Code::KeyDeserialization
        | Code::ValueDeserialization
        // The configuration, and permissions.
        | Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::DelegationTokenAuthorizationFailed
        | Code::DelegationTokenAuthDisabled
        | Code::DelegationTokenNotFound
        | Code::DelegationTokenOwnerMismatch
        | Code::DelegationTokenRequestNotAllowed
        | Code::DelegationTokenExpired
        | Code::InvalidPrincipalType
        | Code::UnacceptableCredential
        | Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::UnsupportedSASLMechanism
        | Code::IllegalSASLState
        | Code::SecurityDisabled
        | Code::SSL
        | Code::UnsupportedVersion
        | Code::UnsupportedFeature
        | Code::NotImplemented
        | Code::NotConfigured
        | Code::UnknownProtocol
        | Code::InvalidGroupId
        | Code::InvalidSessionTimeout
        | Code::InvalidTransactionTimeout
        // Other producers, and other members of the group.
        | Code::Fenced
        | Code::ProducerFenced
        | Code::FencedInstanceId
        | Code::InvalidProducerEpoch
        | Code::InvalidProducerIdMapping
        | Code::InvalidTransactionalState
        | Code::ConcurrentTransactions
        | Code::IllegalGeneration
        | Code::UnknownMemberId
        | Code::MemberIdRequired
        | Code::RebalanceInProgress
        | Code::InconsistentGroupProtocol
        | Code::GroupMaxSizeReached
        | Code::NonEmptyGroup
        | Code::GroupIdNotFound
        | Code::GroupSubscribedToTopic
        | Code::UnstableOffsetCommit
        | Code::AssignmentLost
        | Code::AssignPartitions
        | Code::RevokePartitions
        // The client's own state.
        | Code::NoError
        | Code::PurgeQueue
        | Code::PurgeInflight
        | Code::PollExceeded
        | Code::PartitionEOF
        | Code::NoOffset
        | Code::AutoOffsetReset
        | Code::State
        | Code::Conflict
        | Code::InProgress
        | Code::PreviousInProgress
        | Code::ExistingSubscription
        | Code::Outdated
        | Code::Interrupted
        | Code::Application
        | Code::ReadOnly
        | Code::NoEnt
        | Code::Underflow
        | Code::Partial
        | Code::Noop
        | Code::DestroyBroker
        | Code::BrokerDestroy => Outcome::Ignored,
        // No broker, no leader, no replicas, no resources; and the codes that later versions of the client add.
        _ => Outcome::Failure,
    }
}

#[cfg(test)]
mod tests;
