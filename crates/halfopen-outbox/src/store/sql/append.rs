use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Outcome, Statements, Tally};
use crate::item::Item;
use crate::limits::{Limits, Overflow};
use crate::store::{AppendOutcome, Appended, Dropped, LaneState};
use crate::timestamp::Timestamp;

/// Appends items one after the other, within the limits.
pub(in crate::store) async fn append(
    statements: &mut impl Statements,
    items: Vec<Item>,
    limits: Limits,
    now: Timestamp,
) -> Outcome<Appended> {
    let tally = statements.lock_tally().await?;
    let size = items.iter().map(Item::size).sum();
    if tally.has_room(&limits, items.len() as u64, size)
        && let Some(appended) = append_all(statements, tally, &items, now).await?
    {
        return Ok(appended);
    }
    append_slow(statements, tally, items, limits, now).await
}

fn lanes_of(items: &[Item]) -> BTreeSet<Arc<str>> {
    items.iter().map(|item| Arc::clone(item.shared_lane())).collect()
}

/// Appends items for which there is room, or none of them if a key occurs twice or is stored.
async fn append_all(
    statements: &mut impl Statements,
    mut tally: Tally,
    items: &[Item],
    now: Timestamp,
) -> Outcome<Option<Appended>> {
    let first = tally.add(items);
    if statements.insert(first, items, now).await? != items.len() as u64 {
        statements.take_back(first).await?;
        return Ok(None);
    }
    statements.write_tally(tally).await?;
    let lanes = lanes_of(items).into_iter().map(|lane| LaneState { lane, has_items: true });
    Ok(Some(Appended {
        outcomes: vec![AppendOutcome::Stored; items.len()],
        dropped: Vec::new(),
        lanes: lanes.collect(),
        totals: tally.totals(statements).await?,
    }))
}

/// Appends items one after the other, where keys occur twice or there may be no room.
#[cold]
async fn append_slow(
    statements: &mut impl Statements,
    mut tally: Tally,
    items: Vec<Item>,
    limits: Limits,
    now: Timestamp,
) -> Outcome<Appended> {
    let (mut outcomes, mut dropped) = (Vec::new(), Vec::new());
    let mut lanes = lanes_of(&items);
    for item in items {
        outcomes.push(append_one(statements, &mut tally, item, limits, now, &mut dropped).await?);
    }
    statements.write_tally(tally).await?;
    let waited = dropped.iter().filter(|dropped| !dropped.dead_letter);
    lanes.extend(waited.map(|dropped| Arc::clone(dropped.item.shared_lane())));
    statements.forget_empty_lanes(&lanes).await?;
    let (lanes, totals) = (statements.lane_states(lanes).await?, tally.totals(statements).await?);
    Ok(Appended { outcomes, dropped, lanes, totals })
}

async fn append_one(
    statements: &mut impl Statements,
    tally: &mut Tally,
    item: Item,
    limits: Limits,
    now: Timestamp,
    dropped: &mut Vec<Dropped>,
) -> Outcome<AppendOutcome> {
    let (size, item) = (item.size(), [item]);
    if statements.is_stored(&item[0]).await? {
        return Ok(AppendOutcome::Duplicate);
    }
    if !limits.permit(1, size) {
        return Ok(AppendOutcome::Full);
    }
    while !tally.has_room(&limits, 1, size) {
        match limits.overflow {
            Overflow::Reject => return Ok(AppendOutcome::Full),
            Overflow::DropOldest => match drop_oldest(statements, tally).await? {
                Some(oldest) => dropped.push(oldest),
                // Rows that were deleted by hand are still counted.
                None => tally.empty(),
            },
        }
    }
    statements.insert(tally.add(&item), &item, now).await?;
    Ok(AppendOutcome::Stored)
}

async fn drop_oldest(statements: &mut impl Statements, tally: &mut Tally) -> Outcome<Option<Dropped>> {
    if let Some(id) = statements.oldest_dead_letter().await? {
        let letter = statements.take_dead_letters(&[id]).await?.pop();
        let item = letter.map(|letter| tally.take_dead_letter(letter));
        return Ok(item.map(|item| Dropped { item, dead_letter: true }));
    }
    let Some(oldest) = statements.take_oldest_item().await? else { return Ok(None) };
    tally.remove_item(oldest.size);
    Ok(Some(Dropped { item: oldest.item, dead_letter: false }))
}
