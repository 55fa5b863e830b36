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
    for entry in entries.clone() {
        packed.extend_from_slice(&entry.epoch.to_le_bytes()[..6]);
        packed.push(entry.report as u8);
    }
    for entry in entries {
        for count in [entry.calls, entry.failures] {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            packed.extend_from_slice(&count.to_le_bytes());
        }
    }
    packed
}

/// Returns the number of nodes, and the answers about the breakers whose epochs were sent. Leases are shortened by the
/// time that the request took: none ends later here than on the server.
pub(super) fn parse(
    reply: &[u8],
    epochs: impl ExactSizeIterator<Item = u64>,
    took: Duration,
) -> Option<(u64, Vec<(Answer, Window)>)> {
    let (head, rest) = reply.split_at_checked(10)?;
    let (windows, exceptions) = rest.split_at_checked(12 * epochs.len())?;
    let mut answers: Vec<_> = epochs
        .zip(windows.chunks_exact(12))
        .map(|(epoch, window)| {
            let window = Window { calls: number(&window[..6]), failures: number(&window[6..]) };
            (Answer { epoch, phase: Phase::Closed }, window)
        })
        .collect();
    let exceptions = exceptions.chunks(14);
    for exception in exceptions {
        let (place, answer) = exception.split_at_checked(2)?;
        let place = usize::try_from(number(place)).ok()?.checked_sub(1)?;
        answers.get_mut(place)?.0 = parse_answer(answer, took)?;
    }
    Some((number(&head[6..]), answers))
}

fn parse_answer(bytes: &[u8], took: Duration) -> Option<Answer> {
    if bytes.len() != 12 {
        return None;
    }
    let (epoch, phase) = (number(&bytes[..6]), number(&bytes[6..]));
    let lease = Duration::from_millis(phase / 8).saturating_sub(took);
    let phase = match phase % 8 {
        0 => Phase::Closed,
        1 => Phase::Open { lease },
        2 => Phase::Probing { lease },
        3 => Phase::Prober { lease },
        4 => Phase::HalfOpen,
        _ => return None,
    };
    Some(Answer { epoch, phase })
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_millis(30);

    fn reply(nodes: u32, windows: &[[u64; 2]], exceptions: &[(u16, [u64; 2])]) -> Vec<u8> {
        let mut reply = vec![1; 6];
        reply.extend_from_slice(&nodes.to_le_bytes());
        for number in windows.iter().flatten() {
            reply.extend_from_slice(&number.to_le_bytes()[..6]);
        }
        for (place, numbers) in exceptions {
            reply.extend_from_slice(&place.to_le_bytes());
            numbers.iter().for_each(|number| reply.extend_from_slice(&number.to_le_bytes()[..6]));
        }
        reply
    }

    fn parse(reply: &[u8], epochs: &[u64]) -> Option<(u64, Vec<(Answer, Window)>)> {
        super::parse(reply, epochs.iter().copied(), TOOK)
    }

    #[test]
    fn a_lease_is_shortened_by_the_time_of_the_request() {
        let reply = reply(3, &[[0, 0], [9, 4]], &[(2, [1_800_000_000_000, 1 + 8 * 100])]);
        let (nodes, answers) = parse(&reply, &[5, 6]).unwrap();
        let closed = Answer { epoch: 5, phase: Phase::Closed };
        let open =
            Answer { epoch: 1_800_000_000_000, phase: Phase::Open { lease: Duration::from_millis(70) } };
        let windows = [(0, 0), (9, 4)].map(|(calls, failures)| Window { calls, failures });
        assert_eq!((nodes, answers), (3, vec![(closed, windows[0]), (open, windows[1])]));
    }

    #[test]
    fn a_reply_of_another_shape_is_an_error() {
        let good = reply(1, &[[0, 0]], &[(1, [7, 4])]);
        assert!(parse(&good, &[6]).is_some());
        assert_eq!(parse(&good, &[6, 6, 6]), None, "of fewer breakers");
        assert_eq!(parse(&good[..good.len() - 1], &[6]), None, "cut");
        assert_eq!(parse(&[], &[]), None, "empty");
        assert_eq!(parse(&reply(1, &[[0, 0]], &[(1, [7, 5])]), &[6]), None, "an unknown phase");
        for place in [0, 2] {
            assert_eq!(parse(&reply(1, &[[0, 0]], &[(place, [7, 4])]), &[6]), None, "no breaker {place}");
        }
    }

    #[test]
    fn counts_beyond_four_bytes_are_the_largest() {
        let entry =
            Entry { name: "a".into(), epoch: 1, calls: u64::MAX, failures: 1 << 32, report: Report::Failed };
        let packed = pack("n", [0; 8], [entry].iter());
        assert_eq!(packed[packed.len() - 9..], [4, 255, 255, 255, 255, 255, 255, 255, 255]);
    }
}
