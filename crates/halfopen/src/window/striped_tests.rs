use super::*;

#[test]
fn after_a_split_a_thread_counts_in_its_own_stripe() {
    let counter = StripedCounter::new();
    counter.local().fetch_add(1, Ordering::SeqCst);
    assert!(std::ptr::eq(counter.local(), &counter.first));
    counter.split();
    assert!(!std::ptr::eq(counter.local(), &counter.first));
    counter.local().fetch_add(1, Ordering::SeqCst);
    assert_eq!(counter.sum(), 2, "and nothing is lost");
}

#[test]
fn after_a_split_time_is_added_up_in_stripes() {
    let counter = StripedCounter::new();
    assert!(counter.timing().is_none());
    counter.split();
    counter.timing().expect("there are stripes now").time(5);
    std::thread::scope(|scope| {
        scope.spawn(|| counter.timing().expect("in every thread").time(7));
    });
    let mut totals = Totals::default();
    counter.add_timing_to(&mut totals);
    assert_eq!((totals.timed, totals.response_time.as_nanos()), (2, 12));
}

#[test]
fn an_invalidation_advances_every_stripe() {
    let counter = StripedCounter::new();
    counter.split();
    let before: Vec<u64> = counter.all().map(|word| word.load(Ordering::SeqCst)).collect();
    assert_eq!(counter.invalidate(), before.len() as u64);
    let moved = counter.all().zip(before).all(|(word, seen)| word.load(Ordering::SeqCst) == seen + 1);
    assert!(moved);
}
