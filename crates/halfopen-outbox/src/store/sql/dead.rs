use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Outcome, Statements};
use crate::store::Requeued;
use crate::timestamp::Timestamp;

/// Moves dead letters to the end of their lanes.
pub(in crate::store) async fn requeue(
    statements: &mut impl Statements,
    ids: &[u64],
    now: Timestamp,
) -> Outcome<Requeued> {
    let mut tally = statements.lock_tally().await?;
    let (mut letters, mut lanes) = (0, BTreeSet::new());
    // One after the other: they are appended in the order of the list.
    for id in ids {
        for letter in statements.take_dead_letters(&[*id]).await? {
            let item = [tally.take_dead_letter(letter)];
            letters += 1;
            lanes.insert(Arc::clone(item[0].shared_lane()));
            if !statements.is_stored(&item[0]).await? {
                statements.insert(tally.add(&item), &item, now).await?;
            }
        }
    }
    statements.write_tally(tally).await?;
    Ok(Requeued { letters, lanes: statements.lane_states(lanes).await? })
}

/// Removes dead letters, and returns how many there were.
pub(in crate::store) async fn remove(statements: &mut impl Statements, ids: &[u64]) -> Outcome<u64> {
    let mut tally = statements.lock_tally().await?;
    let letters = statements.take_dead_letters(ids).await?;
    let count = letters.len() as u64;
    letters.into_iter().for_each(|letter| drop(tally.take_dead_letter(letter)));
    statements.write_tally(tally).await?;
    Ok(count)
}
