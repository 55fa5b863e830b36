use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt;
use halfopen::{Gate, Place};
use rdkafka::consumer::{Consumer, ConsumerContext, DefaultConsumerContext, StreamConsumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::util::DefaultRuntime;

/// A Kafka consumer behind a [`Gate`]: its partitions are paused while the breaker of its dependency rejects calls.
///
/// - A consumer that is not polled within `max.poll.interval.ms` leaves its group, and its partitions go to other consumers, whose
///   dependency is the same one. This one is polled while the gate is shut, without a message: it remains in its group, and
///   takes part in rebalances. It is woken by the client and the breaker, and polls nothing in a loop.
/// - No message is lost: librdkafka continues a paused partition after the last message that it has returned, and the message of a
///   partition that is assigned while the gate is shut goes back to it.
/// - In half-open it returns no more messages than there are free probes.
///
/// Commits are those of the [`StreamConsumer`]. Set `enable.auto.offset.store` to `false`, and store or commit the offset of a
/// message after it is handled: otherwise the client commits messages that have only been returned.
///
/// Receive with one of these per [`StreamConsumer`], and with nothing else. It pauses and resumes all partitions that are assigned,
/// also those that were paused by hand.
///
/// # Examples
///
/// ```no_run
/// use halfopen::{CircuitBreaker, Gate};
/// use halfopen_rdkafka::GatedConsumer;
/// use rdkafka::Message;
/// use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
///
/// # async fn store(_: Option<&[u8]>) -> std::io::Result<()> { Ok(()) }
/// # async fn f(consumer: StreamConsumer, database: CircuitBreaker) -> rdkafka::error::KafkaResult<()> {
/// let mut jobs = GatedConsumer::new(&consumer, Gate::new(database.clone()));
/// loop {
///     match jobs.recv().await {
///         // The place is held while the message is handled.
///         Ok((job, _place)) => match database.call(async || store(job.payload()).await).await {
///             Ok(()) => consumer.commit_message(&job, CommitMode::Async)?,
///             Err(_) => jobs.seek_to(&job)?,
///         },
///         // A note on the state of the connections: the consumer goes on.
///         Err(error) => println!("{error}"),
///     }
/// }
/// # }
/// ```
#[must_use = "a consumer does nothing until a message is received"]
pub struct GatedConsumer<'a, C: ConsumerContext = DefaultConsumerContext, R = DefaultRuntime> {
    consumer: &'a StreamConsumer<C, R>,
    gate: Gate,
    /// Whether partitions are paused. A future that is dropped while it waits leaves them paused.
    paused: bool,
}

impl<'a, C: ConsumerContext + 'static, R> GatedConsumer<'a, C, R> {
    /// Puts a consumer behind a gate.
    pub fn new(consumer: &'a StreamConsumer<C, R>, gate: Gate) -> Self {
        GatedConsumer { consumer, gate, paused: false }
    }

    /// Returns the gate.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Returns the consumer, for commits.
    pub fn inner(&self) -> &'a StreamConsumer<C, R> {
        self.consumer
    }

    /// Receives the next message when the gate is open, with its [`Place`], which is held until the message is handled.
    ///
    /// # Errors
    ///
    /// The errors of the client. Most are notes on the state of its connections, after which the consumer goes on; see
    /// [`outcome`](crate::outcome).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no message is lost. Partitions that are paused remain so until the next call.
    pub async fn recv(&mut self) -> KafkaResult<(BorrowedMessage<'a>, Place)> {
        let gate = self.gate.clone();
        let mut messages = self.consumer.stream();
        let mut opening = pin!(None);
        poll_fn(|context| {
            if opening.is_none() {
                opening.set(Some(gate.open()));
            }
            let place = opening.as_mut().as_pin_mut().map_or(Poll::Pending, |open| open.poll(context));
            if let Poll::Ready(place) = place {
                opening.set(None);
                self.resume()?;
                // Without a message the place is dropped, and another consumer behind the gate can have it.
                return messages.poll_next_unpin(context).map(|message| match message {
                    Some(message) => Ok((message?, place)),
                    None => unreachable!("the stream of a consumer does not end"),
                });
            }
            self.pause()?;
            while let Poll::Ready(Some(message)) = messages.poll_next_unpin(context) {
                self.give_back(&message?)?;
            }
            Poll::Pending
        })
        .await
    }

    fn pause(&mut self) -> KafkaResult<()> {
        if !self.paused {
            self.consumer.pause(&self.consumer.assignment()?)?;
            self.paused = true;
        }
        Ok(())
    }

    fn resume(&mut self) -> KafkaResult<()> {
        if self.paused {
            self.consumer.resume(&self.consumer.assignment()?)?;
            self.paused = false;
        }
        Ok(())
    }

    /// Puts the position of a partition back to this message, which is received again, and those after it.
    ///
    /// For a message that could not be handled. Does not wait.
    ///
    /// # Errors
    ///
    /// The error of the client if the partition is no longer assigned: its new consumer receives the message.
    pub fn seek_to(&self, message: &BorrowedMessage<'_>) -> KafkaResult<()> {
        // With no time to wait it is only queued: this thread belongs to the runtime.
        let offset = Offset::Offset(message.offset());
        self.consumer.seek(message.topic(), message.partition(), offset, Duration::ZERO)
    }

    /// Returns a message to its partition, which was assigned after the others were paused.
    #[cold]
    fn give_back(&self, message: &BorrowedMessage<'_>) -> KafkaResult<()> {
        let mut partition = TopicPartitionList::new();
        partition.add_partition(message.topic(), message.partition());
        self.consumer.pause(&partition)?;
        self.seek_to(message)
    }
}

impl<C: ConsumerContext, R> fmt::Debug for GatedConsumer<'_, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatedConsumer")
            .field("gate", &self.gate)
            .field("paused", &self.paused)
            .finish_non_exhaustive()
    }
}
