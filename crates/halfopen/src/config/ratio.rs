//! Shares and factors in integer billionths, so that every comparison is exact.

/// Returns whether `part` of `calls` reaches the threshold, without rounding (S8).
pub(crate) fn reached(part: u64, calls: u64, ppb: u32) -> bool {
    u128::from(part) * 1_000_000_000 >= u128::from(ppb) * u128::from(calls)
}

/// Converts a number from 0 to 1,000 to billionths, rounded down.
///
/// A decimal number with up to nine decimals, which a binary fraction only approximates, is converted exactly.
pub(super) fn billionths(number: f64) -> u64 {
    // If the nearest decimal number with nine decimals has this binary representation, it is the one that was meant.
    let nearest = (number * 1e9).round();
    if nearest / 1e9 == number {
        return nearest as u64;
    }
    floor_exactly(number)
}

/// Computes `floor(number * 10^9)` in integers, because the product in floating point could be rounded up.
fn floor_exactly(number: f64) -> u64 {
    let bits = number.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1075;
    let mantissa = (bits & ((1 << 52) - 1)) | (1 << 52);
    let product = u128::from(mantissa) * 1_000_000_000;
    // The numbers here are below 2^52, so the exponent is negative. A shift by more than the width yields 0.
    let below = product.checked_shr(exponent.unsigned_abs()).unwrap_or(0);
    u64::try_from(below).unwrap_or(u64::MAX)
}

/// Converts a share from 0 to 1 to parts per billion, rounded down.
pub(super) fn parts_per_billion(share: f64) -> u32 {
    u32::try_from(billionths(share)).unwrap_or(u32::MAX)
}

/// Rounds a number down to nine decimals, as it is stored.
pub(super) fn rounded(number: f64) -> f64 {
    billionths(number) as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_nine_decimals_is_exact() {
        for (share, ppb) in
            [(0.28, 280_000_000), (0.29, 290_000_000), (0.07, 70_000_000), (1.0, 1_000_000_000)]
        {
            assert_eq!(parts_per_billion(share), ppb);
        }
        for ppb in (1..=1_000_000_000_u32).step_by(9_973).chain([1, 570_000_000, 999_999_999]) {
            let share: f64 = format!("0.{ppb:09}").parse().unwrap();
            assert_eq!(parts_per_billion(share), ppb % 1_000_000_000, "{share}");
            assert_eq!(rounded(share), share);
        }
    }

    #[test]
    fn any_other_number_is_rounded_down() {
        assert_eq!(parts_per_billion(2.0 / 3.0), 666_666_666);
        assert_eq!(parts_per_billion(beside(1.0, -1)), 999_999_999);
        assert_eq!(parts_per_billion(beside(0.28, -1)), 279_999_999);
        assert_eq!(parts_per_billion(beside(0.28, 1)), 280_000_000);
        assert_eq!(parts_per_billion(0.999e-9), 0);
        assert_eq!(parts_per_billion(f64::MIN_POSITIVE), 0);
        assert_eq!(billionths(1_000.0), 1_000_000_000_000);
    }

    #[test]
    fn thresholds_are_compared_exactly() {
        assert!(reached(7, 25, parts_per_billion(0.28)));
        assert!(!reached(6, 25, parts_per_billion(0.28)));
        assert!(reached(2, 3, parts_per_billion(2.0 / 3.0)));
        assert!(!reached(1, 3, parts_per_billion(2.0 / 3.0)));
        assert!(reached(u64::MAX, u64::MAX, 1_000_000_000));
        assert!(!reached(u64::MAX - 1, u64::MAX, 1_000_000_000));
    }

    /// Returns the next number above or below. `f64::next_up` is newer than the minimum supported Rust version.
    fn beside(number: f64, steps: i64) -> f64 {
        f64::from_bits(number.to_bits().wrapping_add_signed(steps))
    }
}
