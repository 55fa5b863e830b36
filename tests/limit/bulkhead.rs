//! A bulkhead, compared with a list of calls inside and a list of waiters.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use halfopen_limit::{Acquire, Bulkhead, BulkheadConfig, BulkheadPermit};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Try,
    Arrive,
    Leave(usize),
    Return(usize),
    SetConfig(u32, u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Try),
        4 => Just(Step::Arrive),
        2 => any::<usize>().prop_map(Step::Leave),
        4 => any::<usize>().prop_map(Step::Return),
        1 => (1..4_u32, 0..4_u32).prop_map(|(concurrent, waiting)| Step::SetConfig(concurrent, waiting)),
    ]
}

/// The calls inside and the waiters, by the numbers of their arrival.
#[derive(Debug, Default, PartialEq)]
struct Model {
    concurrent: usize,
    waiting: usize,
    inside: Vec<usize>,
    queue: VecDeque<usize>,
    rejected: u64,
}

impl Model {
    fn try_enter(&mut self, call: usize) {
        if self.queue.is_empty() && self.inside.len() < self.concurrent {
            self.inside.push(call);
        } else {
            self.rejected += 1;
        }
    }

    fn arrive(&mut self, call: usize) {
        if self.queue.is_empty() && self.inside.len() < self.concurrent {
            self.inside.push(call);
        } else if self.queue.len() < self.waiting {
            self.queue.push_back(call);
        } else {
            self.rejected += 1;
        }
    }

    fn serve(&mut self) {
        while self.inside.len() < self.concurrent {
            let Some(first) = self.queue.pop_front() else { return };
            self.inside.push(first);
        }
    }
}

/// The bulkhead itself, with the same numbers.
struct Real {
    bulkhead: Bulkhead,
    permits: Vec<(usize, BulkheadPermit)>,
    waiters: Vec<(usize, Pin<Box<Acquire>>)>,
}

impl Real {
    fn poll(&mut self) {
        for (call, mut waiter) in std::mem::take(&mut self.waiters) {
            match waiter.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Ok(permit)) => self.permits.push((call, permit)),
                Poll::Ready(Err(_)) => {}
                Poll::Pending => self.waiters.push((call, waiter)),
            }
        }
    }

    fn as_model(&self) -> Model {
        let snapshot = self.bulkhead.snapshot();
        assert_eq!(snapshot.in_flight as usize, self.permits.len());
        assert_eq!(snapshot.waiting as usize, self.waiters.len());
        Model {
            concurrent: snapshot.config.max_concurrent_calls() as usize,
            waiting: snapshot.config.max_waiting_calls() as usize,
            inside: sorted(self.permits.iter().map(|(call, _)| *call)),
            queue: self.waiters.iter().map(|(call, _)| *call).collect(),
            rejected: snapshot.rejected,
        }
    }
}

fn sorted(calls: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut calls: Vec<_> = calls.collect();
    calls.sort_unstable();
    calls
}

fn config(concurrent: u32, waiting: u32) -> BulkheadConfig {
    BulkheadConfig::builder().max_concurrent_calls(concurrent).max_waiting_calls(waiting).build().unwrap()
}

fn play(steps: &[Step]) -> Result<(), TestCaseError> {
    let mut model = Model { concurrent: 2, waiting: 2, ..Model::default() };
    let mut real =
        Real { bulkhead: Bulkhead::new("ai", config(2, 2)), permits: Vec::new(), waiters: Vec::new() };
    for (call, step) in steps.iter().enumerate() {
        match *step {
            Step::Try => {
                model.try_enter(call);
                real.permits.extend(real.bulkhead.try_acquire().ok().map(|permit| (call, permit)));
            }
            Step::Arrive => {
                model.arrive(call);
                let waiter = Box::pin(real.bulkhead.acquire());
                real.waiters.push((call, waiter));
            }
            Step::Leave(which) if !model.queue.is_empty() => {
                let which = which % model.queue.len();
                model.queue.remove(which);
                drop(real.waiters.remove(which));
            }
            Step::Return(which) if !model.inside.is_empty() => {
                let returned = model.inside.remove(which % model.inside.len());
                real.permits.retain(|(call, _)| *call != returned);
            }
            Step::SetConfig(concurrent, waiting) => {
                (model.concurrent, model.waiting) = (concurrent as usize, waiting as usize);
                real.bulkhead.set_config(config(concurrent, waiting));
            }
            Step::Leave(_) | Step::Return(_) => {}
        }
        model.serve();
        model.inside.sort_unstable();
        real.poll();
        prop_assert_eq!(real.as_model(), &model, "after step {} of {:?}", call, steps);
    }
    Ok(())
}

impl PartialEq<&mut Model> for Model {
    fn eq(&self, other: &&mut Model) -> bool {
        *self == **other
    }
}

impl PartialEq<&Model> for Model {
    fn eq(&self, other: &&Model) -> bool {
        *self == **other
    }
}

#[test]
fn any_history_goes_as_two_lists_do() {
    let steps = prop::collection::vec(step(), 0..120);
    crate::runner(600).run(&steps, |steps| play(&steps)).unwrap_or_else(|failure| panic!("{failure}"));
}
