//! Threads that met go apart.

use super::*;

#[test]
fn after_contention_a_thread_counts_in_a_stripe_and_nothing_is_lost() {
    let plain = Plain::new();
    plain.mine().fetch_add(1, Ordering::SeqCst);
    assert!(std::ptr::eq(plain.mine(), &plain.first));
    plain.contended();
    assert!(!std::ptr::eq(plain.mine(), &plain.first));
    plain.mine().fetch_add(1, Ordering::SeqCst);
    plain.bump();
    assert_eq!(plain.successes(), 2);
}

#[test]
fn after_contention_time_is_added_up_apart() {
    let plain = Plain::new();
    assert!(plain.timing().is_none());
    plain.contended();
    plain.timing().expect("there are stripes now").time(5);
    std::thread::scope(|scope| {
        scope.spawn(|| plain.timing().expect("in every thread").time(7));
    });
    let mut totals = Totals::default();
    plain.add_timing_to(&mut totals);
    assert_eq!((totals.timed, totals.response_time.as_nanos()), (2, 12));
}

#[test]
fn no_two_threads_have_the_same_number() {
    let here = thread::index();
    let there = std::thread::spawn(thread::index).join().unwrap();
    assert_ne!(here, there);
    assert_eq!(here, thread::index());
}

#[test]
fn a_bump_moves_every_word_on_and_is_no_success() {
    let plain = Plain::new();
    plain.contended();
    let before: Vec<u64> = plain.all().map(|word| word.load(Ordering::SeqCst)).collect();
    plain.bump();
    let moved = plain.all().zip(before).all(|(word, seen)| word.load(Ordering::SeqCst) == seen + 1);
    assert!(moved);
    assert_eq!(plain.successes(), 0);
}
