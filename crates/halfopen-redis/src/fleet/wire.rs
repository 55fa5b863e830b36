//! The packed argument and the packed reply of a sync, as the first lines of the script describe them.

use std::sync::Arc;
use std::time::Duration;

use super::node::{Answer, Phase, Report};

/// The report of a node about one breaker.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Arc<str>,
    pub(super) epoch: u64,
    pub(super) calls: u64,
    pub(super) failures: u64,
    pub(super) report: Report,
}

/// The calls of all nodes in the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) calls: u64,
    pub(super) failures: u64,
}

/// Whether a name fits the two bytes of its length.
pub(super) fn fits(name: &str) -> bool {
    name.len() <= usize::from(u16::MAX)
}

/// Packs a sync: names that fit, of at most 65,535 breakers.
pub(super) fn pack<'a>(
    node: &str,
    numbers: [u32; 8],
    entries: impl ExactSizeIterator<Item = &'a Entry> + Clone,
) -> Vec<u8> {
    let mut packed = Vec::with_capacity(64 + 32 * entries.len());
    packed.push(node.len() as u8);
    packed.extend_from_slice(node.as_bytes());
    for number in numbers {
        packed.extend_from_slice(&number.to_le_bytes());
    }
    packed.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    for entry in entries.clone() {
        packed.extend_from_slice(&(entry.name.len() as u16).to_le_bytes());
        packed.extend_from_slice(entry.name.as_bytes());
    }
    for entry in entries {
        packed.extend_from_slice(&entry.epoch.to_le_bytes()[..6]);
        for count in [entry.calls, entry.failures] {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            packed.extend_from_slice(&count.to_le_bytes());
        }
        packed.push(entry.report as u8);
    }
    packed
}

/// Returns the number of nodes, and the answers about so many breakers. Leases are shortened by the time that the
/// request took: none ends later here than on the server.
pub(super) fn parse(reply: &[u8], breakers: usize, took: Duration) -> Option<(u64, Vec<(Answer, Window)>)> {
    let (head, rest) = reply.split_at_checked(10)?;
    if rest.len() != 24 * breakers {
        return None;
    }
    let answers: Option<Vec<_>> = rest.chunks_exact(24).map(|chunk| answer(chunk, took)).collect();
    Some((number(&head[6..]), answers?))
}

fn answer(chunk: &[u8], took: Duration) -> Option<(Answer, Window)> {
    let mut numbers = chunk.chunks_exact(6).map(number);
    let [epoch, calls, failures, phase] = std::array::from_fn(|_| numbers.next().unwrap_or_default());
    let lease = Duration::from_millis(phase / 8).saturating_sub(took);
    let phase = match phase % 8 {
        0 => Phase::Closed,
        1 => Phase::Open { lease },
        2 => Phase::Probing { lease },
        3 => Phase::Prober { lease },
        4 => Phase::HalfOpen,
        _ => return None,
    };
    Some((Answer { epoch, phase }, Window { calls, failures }))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_millis(30);

    fn reply(nodes: u32, breakers: &[[u64; 4]]) -> Vec<u8> {
        let mut reply = vec![1; 6];
        reply.extend_from_slice(&nodes.to_le_bytes());
        for number in breakers.iter().flatten() {
            reply.extend_from_slice(&number.to_le_bytes()[..6]);
        }
        reply
    }

    #[test]
    fn a_lease_is_shortened_by_the_time_of_the_request() {
        let (nodes, answers) = parse(&reply(3, &[[1_800_000_000_000, 9, 4, 1 + 8 * 100]]), 1, TOOK).unwrap();
        let phase = Phase::Open { lease: Duration::from_millis(70) };
        let window = Window { calls: 9, failures: 4 };
        assert_eq!((nodes, answers), (3, vec![(Answer { epoch: 1_800_000_000_000, phase }, window)]));
    }

    #[test]
    fn a_reply_of_another_shape_is_an_error() {
        let good = reply(1, &[[7, 0, 0, 4]]);
        assert!(parse(&good, 1, TOOK).is_some());
        assert_eq!(parse(&good, 2, TOOK), None, "of one breaker");
        assert_eq!(parse(&good[..good.len() - 1], 1, TOOK), None, "cut");
        assert_eq!(parse(&[], 0, TOOK), None, "empty");
        assert_eq!(parse(&reply(1, &[[7, 0, 0, 5]]), 1, TOOK), None, "an unknown phase");
    }

    #[test]
    fn counts_beyond_four_bytes_are_the_largest() {
        let entry =
            Entry { name: "a".into(), epoch: 1, calls: u64::MAX, failures: 1 << 32, report: Report::Failed };
        let packed = pack("n", [0; 8], [entry].iter());
        let largest = [u8::MAX; 8];
        assert_eq!(packed[packed.len() - 9..], [&largest[..], &[4]].concat());
    }
}
