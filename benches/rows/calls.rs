use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use recloser::AsyncRecloser;

use crate::configs;
use crate::harness::{Case, measure};
use crate::peers;
use crate::services::Failed;
use crate::table::Group;

const BASE: &str = "bare future";

/// `call(..).await` of a future that is ready: closed and successful, then open.
pub(crate) fn groups() -> Vec<Group> {
    let closed = measure(closed_cases());
    let open = measure(open_cases());
    vec![
        Group::of_timings("Async call, closed, success", &closed, BASE, "recloser 1.4, count 100"),
        Group::of_timings("Async call, rejected", &open, BASE, "recloser 1.4, count 100"),
    ]
}

fn closed_cases() -> Vec<Case> {
    let mut cases = vec![case(BASE, true, answer)];
    for (name, config) in configs::ours() {
        let breaker = configs::warm(&config);
        cases.push(async_case(name, true, move |n| finish(breaker.call(|| answer(n))).is_ok()));
    }
    let recloser = AsyncRecloser::from(peers::recloser());
    cases
        .push(async_case("recloser 1.4, count 100", true, move |n| finish(recloser.call(answer(n))).is_ok()));
    let two = peers::breaker_two_direct();
    cases.push(async_case("breaker 2, count 100", true, move |n| finish(two.call(|| answer(n))).is_ok()));
    cases
}

fn open_cases() -> Vec<Case> {
    let mut cases = vec![case(BASE, true, answer)];
    let breaker = configs::breaker(&configs::count());
    breaker.open_for(configs::LONG);
    cases.push(async_case("halfopen, count 100", false, move |n| finish(breaker.call(|| answer(n))).is_ok()));
    let recloser = AsyncRecloser::from(peers::recloser());
    for _ in 0..200 {
        let _ = finish(recloser.call(ready(Err::<u64, _>(Failed))));
    }
    cases.push(async_case("recloser 1.4, count 100", false, move |n| {
        finish(recloser.call(answer(n))).is_ok()
    }));
    let two = peers::breaker_two_direct();
    for _ in 0..200 {
        let _ = finish(two.call(|| ready(Err::<u64, _>(Failed))));
    }
    cases.push(async_case("breaker 2, count 100", false, move |n| finish(two.call(|| answer(n))).is_ok()));
    cases
}

fn answer(n: u64) -> Ready<Result<u64, Failed>> {
    ready(Ok(black_box(n)))
}

fn case(name: &str, passes: bool, make: fn(u64) -> Ready<Result<u64, Failed>>) -> Case {
    async_case(name, passes, move |n| finish(make(n)).is_ok())
}

/// A case in which either every call or no call passes.
fn async_case(name: &str, passes: bool, call: impl Fn(u64) -> bool + 'static) -> Case {
    Case::new(name, move |calls| {
        for n in 0..calls {
            assert_eq!(call(black_box(n)), passes, "open breakers reject, closed ones pass");
        }
    })
}

/// Polls to completion, with a waker that does nothing.
#[inline]
fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::hint::spin_loop(),
        }
    }
}
