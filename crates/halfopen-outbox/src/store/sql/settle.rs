use std::sync::Arc;

use super::{Outcome, Statements};
use crate::store::{EntryResult, Settled, Settlement};
use crate::timestamp::Timestamp;

/// Applies the results of delivery attempts.
pub(in crate::store) async fn settle(
    statements: &mut impl Statements,
    settlements: &[Settlement],
    now: Timestamp,
) -> Outcome<Settled> {
    let before = statements.lock_tally().await?;
    let mut tally = before;
    let results = || settlements.iter().flat_map(|settlement| &settlement.results);
    let delivered = results().filter(|(_, result)| *result == EntryResult::Delivered).map(|(id, _)| *id);
    let delivered: Vec<u64> = delivered.collect();
    // Without one there is nothing to write, and a transaction that only reads need not wait for others.
    if !delivered.is_empty() {
        let sizes = statements.remove_items(&delivered).await?;
        sizes.into_iter().for_each(|size| tally.remove_item(size));
    }
    for (id, result) in results() {
        match result {
            EntryResult::Delivered => {}
            EntryResult::Failed { error, counted } => statements.note_failure(*id, error, *counted).await?,
            EntryResult::Dead { error } => {
                let moved = statements.set_aside(*id, error, now).await?;
                tally.set_aside(moved);
            }
        }
    }
    if tally != before {
        statements.write_tally(tally).await?;
    }
    for settlement in settlements {
        statements.change_claim(settlement).await?;
    }
    let lanes = settlements.iter().map(|settlement| Arc::clone(&settlement.lane)).collect();
    statements.forget_empty_lanes(&lanes).await?;
    let lanes = statements.lane_states(lanes).await?;
    Ok(Settled { lanes, totals: tally.totals(statements).await? })
}
